package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	o, err := parseOptions(nil, io.Discard)
	if err != nil || o.rounds < 5 || o.seconds < 2 || o.out != "benchmarks/results" || o.sluice != "bin/sluice" || o.idle != 5000 || o.hosts != 10000 {
		t.Errorf("defaults %+v, %v", o, err)
	}
	if len(o.scenarios) != len(scenarios) || len(o.peers) != len(peers) {
		t.Errorf("%d scenarios and %d peers by default", len(o.scenarios), len(o.peers))
	}
	if about := o.estimate(o.scenarios); about < 5*time.Minute || about > 25*time.Minute {
		t.Errorf("a default run takes about %s", about)
	}
	o, err = parseOptions([]string{"-quick"}, io.Discard)
	if err != nil || o.rounds != 1 || o.seconds != 1 || o.out != "" {
		t.Errorf("-quick gives %+v, %v", o, err)
	}
	o, err = parseOptions([]string{"-scenarios", "h2,http1", "-peers", "sluice"}, io.Discard)
	if err != nil || len(o.scenarios) != 2 || o.scenarios[0].Name != "http1" || len(o.peers) != 2 || o.peers[0].name != reference || o.peers[1].name != "sluice" {
		t.Errorf("chosen %+v, %v", o, err)
	}
	for args, want := range map[string]string{
		"-rounds 0":                      "give 1 to 1000 rounds",
		"-seconds 4000":                  "of 1 to 3600 seconds",
		"-load-core 0":                   "two different cores",
		"-load-core -1":                  "two different cores",
		"-load-core 64000 -proxy-core 1": "two different cores",
		"http1":                          `"http1" is not a flag`,
		"-nonsense":                      "nonsense",
		"-scenarios http9":               `unknown scenario "http9": known are http1, `,
		"-peers traefik":                 `unknown peer "traefik": known are nginx, sluice, haproxy, caddy`,
	} {
		if _, err := parseOptions(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestMissingProgramsAreNamedWithTheirPackages(t *testing.T) {
	_, err := findTools(t.Context(), []peer{nginx, sluice}, "/nowhere/sluice", t.Logf)
	if err == nil || !strings.Contains(err.Error(), "/nowhere/sluice is missing: run make build") {
		t.Errorf("without sluice: %v", err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "nginx"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	_, err = findTools(t.Context(), []peer{nginx}, "", t.Logf)
	if err == nil || !strings.HasPrefix(err.Error(), "wrk, h2load, taskset not found: run apt-get install -y wrk nghttp2-client util-linux") {
		t.Errorf("with nginx alone: %v", err)
	}
}

func TestMachine(t *testing.T) {
	m := thisMachine()
	if m.Cores < 1 || m.Kernel == "unknown" || m.LoadBefore == "unknown" {
		t.Errorf("%+v", m)
	}
	const text = "processor\t: 0\nmodel name\t: Example: CPU\nmodel name\t: other\n"
	if got := valueOf(text, "model name", ":"); got != "Example: CPU" {
		t.Errorf("model name %q", got)
	}
	if got := valueOf(text, "nothing", ":"); got != "unknown" {
		t.Errorf("missing key gives %q", got)
	}
}

func TestParsePss(t *testing.T) {
	const text = "00400000-7ffd Rss ---p 00000000 00:00 0 [rollup]\nRss:               18432 kB\nPss:               10240 kB\nPss_Dirty: 5 kB\n"
	if n, err := parsePss(text); err != nil || n != 10<<20 {
		t.Errorf("%d, %v", n, err)
	}
	for _, text := range []string{"", "Pss: 12\n", "Pss: x kB\n"} {
		if n, err := parsePss(text); err == nil {
			t.Errorf("%q was read as %d", text, n)
		}
	}
	if n, err := treeMemory(os.Getpid()); err != nil || n < 1<<20 || n > 1<<34 {
		t.Errorf("this process: %d bytes, %v", n, err)
	}
}
