package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestParseProcStat(t *testing.T) {
	rest := " S 7 12 12 0 -1 4194560 900 0 0 0 110 40 5 3 20 0 9 0 1000 1 1 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n"
	for _, command := range []string{"(nginx)", "(a b) c)", "(12 34 (S 1)"} {
		s, err := parseProcStat("12 " + command + rest)
		if err != nil || s.parent != 7 || s.cpu != 1580*time.Millisecond {
			t.Errorf("%s: %+v, %v, want parent 7 and (110+40+5+3) ticks", command, s, err)
		}
	}
	for _, line := range []string{"", "12 (x", "12 (x) S 7 1", "12 (x) S y" + strings.TrimPrefix(rest, " S 7"), "12 (x)" + strings.Replace(rest, "110", "x", 1)} {
		if s, err := parseProcStat(line); err == nil {
			t.Errorf("%q was read as %+v", line, s)
		}
	}
}

func TestParseCoreBusy(t *testing.T) {
	const text = "cpu  3 3 3 3 3 3 3 3 0 0\ncpu0 100 20 30 5000 600 7 8 9 50 0\ncpu1 1 0 0 9 9 0 0 0 0 0\nintr 1\n"
	if busy, err := parseCoreBusy(text, 0); err != nil || busy != 1740*time.Millisecond {
		t.Errorf("core 0 was busy for %v, %v, want 174 ticks", busy, err)
	}
	if busy, err := parseCoreBusy(text, 1); err != nil || busy != tick {
		t.Errorf("core 1 was busy for %v, %v, want one tick", busy, err)
	}
	for text, want := range map[string]string{text: "no core 2", "cpu2 1 1 1 x 1 1 1 y 1\n": "core 2 in /proc/stat"} {
		if busy, err := parseCoreBusy(text, 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, want %q", busy, err, want)
		}
	}
}

func TestDescends(t *testing.T) {
	stats := map[int]procStat{1: {parent: 0}, 10: {parent: 1}, 11: {parent: 10}, 12: {parent: 11}, 20: {parent: 1}, 30: {parent: 31}, 31: {parent: 30}}
	for id, want := range map[int]bool{10: true, 11: true, 12: true, 1: false, 20: false, 30: false, 99: false} {
		if got := descends(stats, id, 10); got != want {
			t.Errorf("%d comes from 10: %v, want %v", id, got, want)
		}
	}
}

// The shell's child burns the time; it counts while it runs and after it was waited for.
func TestTreeCPUCountsChildren(t *testing.T) {
	const burn = `sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo; read line'; echo; read line`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", burn)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
	}()
	line := make([]byte, 1)
	for _, state := range []string{"running", "ended"} {
		if _, err := out.Read(line); err != nil {
			t.Fatal(err)
		}
		cpu, err := treeCPU(cmd.Process.Pid)
		if err != nil || cpu < 20*time.Millisecond || cpu > 5*time.Minute {
			t.Errorf("with the child %s: %v, %v", state, cpu, err)
		}
		if _, err := in.Write([]byte("\n")); err != nil {
			t.Fatal(err)
		}
	}
	if cpu, err := treeCPU(os.Getpid()); err != nil || cpu < 20*time.Millisecond {
		t.Errorf("this process and its child: %v, %v", cpu, err)
	}
	if cpu, err := treeCPU(1 << 30); err == nil {
		t.Errorf("a process that does not exist took %v", cpu)
	}
	if busy, err := coreBusy(0); err != nil || busy <= 0 {
		t.Errorf("core 0 was busy for %v, %v", busy, err)
	}
}
