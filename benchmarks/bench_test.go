package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The test program plays the roles that the benchmark gives to itself.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		exitOn(playRole(role))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// newBench compares nginx with others, small and short.
func newBench(t *testing.T, others ...peer) *bench {
	t.Helper()
	found, err := findTools(t.Context(), []peer{nginx, haproxy}, "", t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.NumCPU() < 2 {
		t.Fatal("benchmarks need two cores")
	}
	t.Setenv("TMPDIR", t.TempDir())
	return &bench{tools: found, peers: append([]peer{nginx}, others...), rounds: 2, seconds: 1, idle: 200, hosts: 200,
		proxyCore: 0, loadCore: 1, began: time.Now(), progress: io.Discard}
}

// left fails the test if a run left files or processes behind.
func left(t *testing.T) {
	t.Helper()
	if files, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "sluice-bench-*")); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(commands) == 0 {
		t.Fatalf("list the processes: %d, %v", len(commands), err)
	}
	for _, name := range commands {
		if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), os.Getenv("TMPDIR")+"/sluice-bench-") {
			t.Errorf("still running: %s: %q", name, text)
		}
	}
}

func TestRunMeasuresRealPeers(t *testing.T) {
	b := newBench(t, haproxy)
	var progress strings.Builder
	b.progress = &progress
	r, err := b.measureAll(t.Context(), scenarios[0])
	if err != nil {
		t.Fatal(err)
	}
	left(t)
	order, busy := "", false
	for _, turn := range r.Turns {
		order += turn.Peer + " "
		v := turn.Values
		// The kernel counts CPU time in hundredths of a second: on a machine that is busy with
		// other things, the few requests of a turn may have cost none.
		few := v[rate] < 5000
		busy = busy || few
		if v[rate] < 10 || !few && (v[cpuMicros] < 0.5 || v[corePercent] <= 0) || v[cpuMicros] > 5000 || v[p99] < v[p50] || v[p999] < v[p99] || v[memoryMiB] < 0.5 {
			t.Errorf("not plausible: %s", turn)
		}
	}
	if order != "nginx haproxy haproxy nginx " {
		t.Errorf("turns in the order %s; missing: %v", order, r.Missing)
	}
	// What is excluded is a clock that counts the wrong processes.
	if ratio := r.Ratios[0].Ratio.Median; !busy && (ratio < 0.1 || ratio > 10) {
		t.Errorf("haproxy / nginx is %.2f", ratio)
	}
	if !strings.Contains(progress.String(), "http1: round 2/2 nginx ") {
		t.Errorf("progress: %s", &progress)
	}
}

func TestRunEndsEverythingWhenStopped(t *testing.T) {
	b := newBench(t, haproxy)
	b.seconds = 60
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.progress = writerFunc(cancel) // at the first line of progress
	if _, err := b.measureAll(ctx, scenarios[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	left(t)
}

type writerFunc func()

func (f writerFunc) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

// A peer that does not start is named with its own words; nginx must start.
func TestAPeerThatDoesNotStartIsNamed(t *testing.T) {
	broken := haproxy
	broken.args = func(site) []string { return []string{"-f", "/nowhere/haproxy.cfg"} }
	b := newBench(t, broken)
	r, err := b.measureAll(t.Context(), scenarios[0])
	reason := r.missing("haproxy")
	if err != nil || !strings.HasPrefix(reason, "not supported: haproxy has ended (exit status 1)") || !strings.Contains(reason, "/nowhere/haproxy.cfg") {
		t.Errorf("missing %q, error %v", reason, err)
	}
	if len(r.of("nginx")) != 2 || len(r.of("haproxy")) != 0 {
		t.Errorf("turns %v", r.Turns)
	}
	left(t)
	b.peers[0].args = func(site) []string { return []string{"-c", "/nowhere/nginx.conf"} }
	if _, err = b.measureAll(t.Context(), scenarios[0]); err == nil || !strings.Contains(err.Error(), "/nowhere/nginx.conf") {
		t.Errorf("without the reference: %v", err)
	}
	left(t)
}

// A peer that answers without asking the origin does less work, and must not get a figure.
func TestAPeerThatAnswersByItselfIsRefused(t *testing.T) {
	b := newBench(t, nginxPeer("haproxy", "origin.conf"))
	r, err := b.measureAll(t.Context(), scenarios[0])
	if err != nil || !strings.Contains(r.missing("haproxy"), "this is not the work asked for") || len(r.of("haproxy")) > 0 {
		t.Errorf("missing %v, error %v", r.Missing, err)
	}
	left(t)
}

// Everything works: each scenario with every peer, small. A machine that is busy with other
// tests may starve a load of one second, so a scenario may be tried three times.
func TestQuickRunOfEverything(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("build Sluice: %v: %s", err, out)
	}
	o, err := parseOptions([]string{"-quick"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.tools, err = findTools(t.Context(), o.peers, binary, t.Logf); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	for _, sc := range o.scenarios {
		t.Run(sc.Name, func(t *testing.T) {
			var problem string
			for range 3 {
				r, err := o.measureAll(t.Context(), sc)
				if problem = incomplete(r, err, o.peers, sc); problem == "" {
					break
				}
			}
			if problem != "" {
				t.Error(problem)
			}
			left(t)
		})
	}
}

// incomplete says what a result lacks.
func incomplete(r scenarioResult, err error, peers []peer, sc scenario) string {
	if err != nil {
		return err.Error()
	}
	for _, p := range peers {
		reason := r.missing(p.name)
		// The listeners and upstreams that Sluice does not have yet.
		if p.name == "sluice" && sc.set.Secure && strings.Contains(reason, `unknown field "tls"`) {
			continue
		}
		if reason != "" || len(r.of(p.name)) != 1 {
			return p.name + ": " + reason
		}
		if _, ok := r.summary(p.name).Values[sc.main]; !ok {
			return p.name + " has no " + string(sc.main)
		}
	}
	return ""
}

func TestParseServed(t *testing.T) {
	n, err := parseServed("Active connections: 65 \nserver accepts handled requests\n 130 130 501234 \nReading: 0 Writing: 1 Waiting: 64 \n")
	if err != nil || n != 501234 {
		t.Errorf("%d, %v", n, err)
	}
	for _, page := range []string{"", "not found", "server accepts handled requests\n 1 2\n", "server accepts handled requests\n 1 2 x\n"} {
		if n, err := parseServed(page); err == nil {
			t.Errorf("%q was read as %d", page, n)
		}
	}
}

func TestEveryPeersFilesCanBeFilledIn(t *testing.T) {
	for _, sc := range scenarios {
		sc.set.Hosts = min(sc.set.Hosts, 20)
		for _, p := range peers {
			s, err := p.prepare(t.TempDir(), sc.set, []string{"127.0.0.1:1", "127.0.0.1:2"})
			if err != nil {
				t.Fatal(err)
			}
			for file := range p.files {
				text, err := os.ReadFile(filepath.Join(s.Dir, file))
				if err != nil || strings.Contains(string(text), "{{") || strings.Contains(string(text), "<no value>") || len(text) == 0 {
					t.Errorf("%s: %s of %s: %v\n%s", sc.Name, file, p.name, err, text)
				}
			}
		}
	}
}
