package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// newBench has two nginx as peers, so that the whole way is tried without Sluice's binary:
// what differs between peers is their rows in the table.
func newBench(t *testing.T) *bench {
	t.Helper()
	found, err := findTools(os.Args[0]) // Sluice is not started
	if err != nil {
		t.Fatal(err)
	}
	if runtime.NumCPU() < 2 {
		t.Fatal("benchmarks need two cores")
	}
	t.Setenv("TMPDIR", t.TempDir())
	return &bench{tools: found, peers: []peer{nginxPeer(reference, "nginx.conf"), nginxPeer("second", "nginx.conf")},
		rounds: 2, seconds: 1, proxyCore: 0, loadCore: 1, progress: io.Discard}
}

// left fails the test if a run left files or processes behind.
func left(t *testing.T) {
	t.Helper()
	if files, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(commands) == 0 {
		t.Fatalf("list the processes: %d, %v", len(commands), err)
	}
	for _, name := range commands {
		if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), os.Getenv("TMPDIR")) {
			t.Errorf("still running: %s: %q", name, text)
		}
	}
}

func TestRunMeasuresRealPeers(t *testing.T) {
	b := newBench(t)
	var progress strings.Builder
	b.progress = &progress
	r, err := b.measureAll(t.Context(), scenarios[0])
	if err != nil {
		t.Fatal(err)
	}
	left(t)
	order := ""
	for _, turn := range r.Turns {
		order += turn.Peer + " "
		if turn.Requests < 100 || turn.CPUMicros < 0.5 || turn.CPUMicros > 5000 || turn.P99Micros < turn.P50Micros || turn.CorePercent <= 0 {
			t.Errorf("not plausible: %s (%d requests)", turn, turn.Requests)
		}
	}
	if order != "nginx second second nginx " {
		t.Errorf("turns in the order %s", order)
	}
	// The same program compared with itself. The bounds are wide because other work may share
	// the cores; what they exclude is a clock that counts the wrong processes.
	if ratio := r.Ratios[0].Ratio.Median; ratio < 0.4 || ratio > 2.5 {
		t.Errorf("nginx / nginx is %.2f", ratio)
	}
	if !strings.Contains(progress.String(), "http1: round 2/2 nginx ") {
		t.Errorf("progress: %s", &progress)
	}
}

func TestRunEndsEverythingWhenStopped(t *testing.T) {
	b := newBench(t)
	b.seconds = 60
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.progress = writerFunc(cancel) // the first line of progress: all peers answer
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

func TestRunSaysWhyAPeerDoesNotStart(t *testing.T) {
	b := newBench(t)
	b.peers[1].args = func(site) []string { return []string{"-c", "/nowhere/nginx.conf"} }
	_, err := b.measureAll(t.Context(), scenarios[0])
	if err == nil || !strings.Contains(err.Error(), "second has ended (exit status 1)") || !strings.Contains(err.Error(), "/nowhere/nginx.conf") {
		t.Errorf("error %v", err)
	}
	left(t)
}

// A peer that answers without asking the origin does less work, and must not get a figure.
func TestAPeerThatAnswersByItselfIsRefused(t *testing.T) {
	b := newBench(t)
	b.peers[1].files = map[string]string{"nginx.conf": "origin.conf"}
	_, err := b.measureAll(t.Context(), scenarios[0])
	if err == nil || !strings.Contains(err.Error(), "this is not the work asked for") {
		t.Errorf("error %v", err)
	}
	left(t)
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
	for _, p := range append([]peer{origin}, peers...) {
		s, err := p.prepare(t.TempDir(), "127.0.0.1:1", scenarios[0])
		if err != nil {
			t.Fatal(err)
		}
		for file := range p.files {
			text, err := os.ReadFile(filepath.Join(s.Dir, file))
			if err != nil || strings.Contains(string(text), "{{") || strings.Contains(string(text), "<no value>") {
				t.Errorf("%s of %s: %v\n%s", file, p.name, err, text)
			}
		}
	}
}
