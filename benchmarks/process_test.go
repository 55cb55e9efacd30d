package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestProcessSaysHowItEnded(t *testing.T) {
	p, err := start("short", 0, filepath.Join(t.TempDir(), "output"), []string{"WORD=hello"}, "sh", "-c", "echo $WORD; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	<-p.done
	if err := p.ended(); err == nil || err.Error() != "short has ended (exit status 3): hello" {
		t.Errorf("ended: %v", err)
	}
	if err := p.stop(); err != nil {
		t.Errorf("stop after the end: %v", err)
	}
}

func TestStopEndsTheProgram(t *testing.T) {
	p, err := start("long", 0, filepath.Join(t.TempDir(), "output"), nil, "sleep", "600")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.ended(); err != nil {
		t.Errorf("at once: %v", err)
	}
	began := time.Now()
	if err := p.stop(); err != nil || time.Since(began) > endTime {
		t.Errorf("stop: %v", err)
	}
	if err := syscall.Kill(p.pid(), 0); err != syscall.ESRCH {
		t.Errorf("process %d is still there: %v", p.pid(), err)
	}
}

func TestPrintedKeepsTheEnd(t *testing.T) {
	p := process{output: filepath.Join(t.TempDir(), "output")}
	write := func(text string) {
		if err := os.WriteFile(p.output, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if write(""); p.printed() != "it printed nothing" {
		t.Errorf("empty: %q", p.printed())
	}
	write(strings.Repeat("begin ", tailSize) + "the end\n")
	if text := p.printed(); len(text) > tailSize || !strings.HasSuffix(text, "begin the end") {
		t.Errorf("%d bytes, ending %q", len(text), text[len(text)-20:])
	}
}
