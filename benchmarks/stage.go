package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/benchmarks/origin"
)

// stage is one scenario while it runs: the origins, and everybody who was started.
type stage struct {
	*bench
	sc         scenario
	dir        string
	body       string   // the origin's answer
	origins    []string // addresses for proxies
	counts     []string // addresses of the pages with the origins' counts
	processes  []*process
	contenders []*contender
}

// newStage starts the origins.
func (b *bench) newStage(ctx context.Context, sc scenario) (*stage, error) {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, err
	}
	st := &stage{bench: b, sc: sc, dir: dir, body: strings.Repeat("x", sc.set.Body)}
	for i := range sc.originCount() {
		if err := st.startOrigin(ctx, i); err != nil {
			return nil, errors.Join(err, st.close())
		}
	}
	return st, nil
}

// close ends every process and removes the files.
func (st *stage) close() error {
	var errs []error
	for _, c := range st.contenders {
		errs = append(errs, c.halt())
	}
	for _, p := range slices.Backward(st.processes) {
		errs = append(errs, p.stop())
	}
	return errors.Join(append(errs, os.RemoveAll(st.dir))...)
}

// startOrigin starts one origin on the load's core and waits for its page. Each of two
// answers with a letter of its own.
func (st *stage) startOrigin(ctx context.Context, number int) error {
	p := nginxPeer("origin"+strconv.Itoa(number), "origin.conf")
	s, err := p.prepare(st.dir, st.sc.set, nil)
	if err != nil {
		return err
	}
	command := append([]string{st.tools.nginx}, p.args(s)...)
	var env []string
	body := strings.Repeat(string("xyz"[number]), st.sc.set.Body)
	if st.sc.origin != "" {
		command = []string{st.tools.self}
		env, err = roleEnv("origin", origin.Config{Kind: st.sc.origin, Listen: s.Listen, Status: s.Ops, Answer: grpcSize, Body: body})
	} else {
		if s.Body != "" {
			s.Body = body
		}
		err = errors.Join(p.writeFiles(s), os.WriteFile(filepath.Join(s.Dir, "body.txt"), []byte(body), 0o644))
	}
	if err != nil {
		return err
	}
	process, err := start(p.name, st.loadCore, s.output(), env, command...)
	if err != nil {
		return err
	}
	st.processes = append(st.processes, process)
	st.origins, st.counts = append(st.origins, s.Listen), append(st.counts, s.Ops)
	waiting := &contender{peer: p, process: process, st: st}
	return waiting.await(ctx, func(ctx context.Context) error {
		_, err := served(ctx, s.Ops)
		return err
	})
}

// served asks all origins how many requests they have seen, once those that a load left
// under way have arrived.
func (st *stage) served(ctx context.Context) (all int64, err error) {
	const quietTimes, pause = 3, 10 * time.Millisecond
	before, quiet := int64(-1), 0
	for {
		if all, err = st.servedNow(ctx); err != nil {
			return 0, err
		}
		// Asking is a request of its own to an nginx.
		if quiet++; before < 0 || all-before > int64(len(st.counts)) {
			quiet = 0
		}
		if before = all; quiet == quietTimes {
			return all, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return 0, err
		}
	}
}

func (st *stage) servedNow(ctx context.Context) (all int64, err error) {
	for _, address := range st.counts {
		n, err := served(ctx, address)
		if err != nil {
			return 0, err
		}
		all += n
	}
	return all, nil
}

// served asks one origin.
func served(ctx context.Context, address string) (int64, error) {
	page, err := fetch(ctx, "http://"+address+"/")
	if err != nil {
		return 0, fmt.Errorf("ask the origin for its requests: %w", err)
	}
	return parseServed(page)
}

// parseServed reads nginx's stub_status page: accepted and handled connections, requests.
func parseServed(page string) (n int64, err error) {
	_, counts, ok := strings.Cut(page, "server accepts handled requests\n")
	if fields := strings.Fields(counts); ok && len(fields) >= 3 {
		if n, err = strconv.ParseInt(fields[2], 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("the origin's status page has no counts: %q", page)
}

// roleVar makes a process of this program an origin or a load: its value is the role and
// its configuration in JSON.
const roleVar = "SLUICE_BENCH_ROLE"

func roleEnv(role string, config any) ([]string, error) {
	text, err := json.Marshal(config)
	return []string{roleVar + "=" + role + " " + string(text), "GOMAXPROCS=1"}, err
}
