package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// measure loads one contender for some seconds and reads what that cost it.
func (b *bench) measure(ctx context.Context, sc scenario, c contender, seconds int) (turn, error) {
	if err := c.check(ctx); err != nil {
		return turn{}, err
	}
	before, err := b.read(ctx, c)
	if err != nil {
		return turn{}, err
	}
	load, err := b.load(ctx, sc, c, seconds)
	if err != nil {
		return turn{}, err
	}
	after, err := b.read(ctx, c)
	if err != nil {
		return turn{}, fmt.Errorf("%w; it printed: %s", err, c.process.log)
	}
	if err := c.check(ctx); err != nil {
		return turn{}, fmt.Errorf("after the load: %w", err)
	}
	// Requests that wrk did not wait for at the end reach the origin as well, one for each
	// connection, and the readings themselves are requests.
	served, slack := after.served-before.served, int64(sc.Connections+2)
	if served < load.Requests || served > load.Requests+slack {
		return turn{}, fmt.Errorf("wrk has %d answers, but the origin served %d requests: this is not the work asked for", load.Requests, served)
	}
	cpu, busy, wall := after.cpu-before.cpu, after.busy-before.busy, after.at.Sub(before.at)
	return turn{
		Peer:              c.name,
		Requests:          load.Requests,
		Seconds:           load.Elapsed.Seconds(),
		CPUMicros:         float64(cpu.Nanoseconds()) / 1e3 / float64(load.Requests),
		RequestsPerSecond: load.RequestsPerSecond,
		P50Micros:         float64(load.P50.Nanoseconds()) / 1e3,
		P99Micros:         float64(load.P99.Nanoseconds()) / 1e3,
		CorePercent:       100 * cpu.Seconds() / wall.Seconds(),
		OthersPercent:     100 * max(0, busy-cpu).Seconds() / wall.Seconds(),
	}, nil
}

// reading is the state of all counters at one time.
type reading struct {
	at        time.Time
	cpu, busy time.Duration // of the contender, and of everything on its core
	served    int64         // requests that the origin has seen
}

// read takes a reading.
func (b *bench) read(ctx context.Context, c contender) (r reading, err error) {
	if r.served, err = served(ctx, c.origin); err != nil {
		return r, err
	}
	if r.cpu, err = treeCPU(c.process.pid()); err != nil {
		return r, fmt.Errorf("CPU time of %s: %w", c.name, err)
	}
	r.busy, err = coreBusy(b.proxyCore)
	r.at = time.Now()
	return r, err
}

// served asks the origin how many requests it has seen.
func served(ctx context.Context, origin string) (int64, error) {
	status, body, err := get(ctx, "http://"+origin+"/_status", "")
	if err != nil || status != http.StatusOK {
		return 0, fmt.Errorf("ask the origin for its requests: status %d, %w", status, err)
	}
	return parseServed(body)
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

// load runs wrk on the load's core.
func (b *bench) load(ctx context.Context, sc scenario, c contender, seconds int) (wrkResult, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+readyTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "taskset", "-c", strconv.Itoa(b.loadCore), b.tools.wrk,
		"--threads", "1", "--connections", strconv.Itoa(sc.Connections), "--duration", strconv.Itoa(seconds)+"s",
		"--latency", "--header", "Host: "+c.Host, "http://"+c.Listen+"/")
	cmd.Dir = filepath.Dir(c.Dir)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return wrkResult{}, fmt.Errorf("load was stopped: %w", context.Cause(ctx))
	}
	if err != nil {
		return wrkResult{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	return parseWrk(string(out))
}

// check asks for the work once, and compares the answer byte by byte.
func (c contender) check(ctx context.Context) error {
	if c.ready != nil {
		if status, body, err := get(ctx, c.ready(c.site), ""); err != nil || status != http.StatusOK {
			return fmt.Errorf("not ready: status %d, %.80q, %w", status, body, err)
		}
	}
	status, body, err := get(ctx, "http://"+c.Listen+"/", c.Host)
	if err != nil {
		return err
	}
	if status != http.StatusOK || body != c.Body {
		return fmt.Errorf("status %d with %d bytes, want 200 with the origin's %d", status, len(body), len(c.Body))
	}
	return nil
}

// get sends one request on a connection of its own.
func get(ctx context.Context, url, host string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	r.Host, r.Close = host, true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return answer.StatusCode, string(text), err
}
