package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	o, err := parseOptions(nil, io.Discard)
	if err != nil || o.rounds < 5 || o.seconds < 5 || o.out != "benchmarks/results" || o.sluice != "bin/sluice" {
		t.Errorf("defaults %+v, %v", o, err)
	}
	o, err = parseOptions([]string{"-quick", "-out", "x"}, io.Discard)
	if err != nil || o.rounds != 3 || o.seconds != 1 || o.out != "" {
		t.Errorf("-quick gives %+v, %v", o, err)
	}
	for args, want := range map[string]string{
		"-rounds 0":                      "give 1 to 1000 rounds",
		"-seconds 4000":                  "of 1 to 3600 seconds",
		"-load-core 0":                   "two different cores",
		"-load-core -1":                  "two different cores",
		"-load-core 64000 -proxy-core 1": "two different cores",
		"http1":                          `"http1" is not a flag`,
		"-nonsense":                      "nonsense",
	} {
		if _, err := parseOptions(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose(""); err != nil || len(all) != len(scenarios) {
		t.Errorf("none chosen: %v, %v", all, err)
	}
	if one, err := choose("http1"); err != nil || len(one) != 1 || one[0].Name != "http1" {
		t.Errorf("http1: %v, %v", one, err)
	}
	if _, err := choose("http9"); err == nil || !strings.Contains(err.Error(), "known are http1") {
		t.Errorf("http9: %v", err)
	}
}

func TestMissingProgramsAreNamedWithTheirPackages(t *testing.T) {
	_, err := findTools("/nowhere/sluice")
	if err == nil || !strings.Contains(err.Error(), "/nowhere/sluice is missing: run make build") {
		t.Errorf("without sluice: %v", err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "nginx"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	_, err = findTools(os.Args[0])
	if err == nil || !strings.HasPrefix(err.Error(), "wrk, taskset not found: run apt-get install -y wrk util-linux") {
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
