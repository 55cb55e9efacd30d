package quickstart

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// patience bounds every wait of the tests.
const patience = 30 * time.Second

// script is run.sh with the real sample backend on free ports, and a small program in the
// place of Sluice: what the script does with its two children does not depend on what they
// serve.
type script struct {
	*exec.Cmd
	out     *strings.Builder
	started string // the stand-in writes its pid here
}

func newScript(t *testing.T, standIn string, listen ...string) *script {
	t.Helper()
	dir := t.TempDir()
	backend := filepath.Join(dir, "backend")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", backend, "../backend")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the backend: %v\n%s", err, out)
	}
	s := &script{out: new(strings.Builder), started: filepath.Join(dir, "started")}
	sluice := filepath.Join(dir, "sluice")
	text := "#!/bin/bash\necho $$ >" + s.started + ".part; mv " + s.started + ".part " + s.started + "\n" + standIn + "\n"
	if err := os.WriteFile(sluice, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	s.Cmd = exec.CommandContext(t.Context(), "./run.sh")
	s.Env = append(os.Environ(), "SLUICE="+sluice, "BACKEND="+backend, "LISTEN="+strings.Join(listen, " "), "TMPDIR="+dir)
	s.Stdout, s.Stderr = s.out, s.out
	s.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that a signal to the group is a terminal's Ctrl-C
	s.Cancel = func() error { return syscall.Kill(-s.Process.Pid, syscall.SIGTERM) }
	s.WaitDelay = patience
	t.Cleanup(func() {
		if left, _ := filepath.Glob(filepath.Join(dir, "tmp.*")); len(left) > 0 {
			t.Errorf("the script left %v behind", left)
		}
	})
	return s
}

// pid waits for the stand-in and returns its process id.
func (s *script) pid(t *testing.T) (pid int) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(s.started); err == nil {
			if _, err := fmt.Sscan(string(text), &pid); err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("Sluice's stand-in did not start:\n%s", s.out)
	return 0
}

func answers(t *testing.T, address string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+address+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == 200
}

func TestCtrlCEndsEverything(t *testing.T) {
	for name, signal := range map[string]struct {
		toGroup bool
		signal  syscall.Signal
	}{
		"Ctrl-C":  {true, syscall.SIGINT},
		"SIGTERM": {false, syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			address := freeport.Address(t)
			s := newScript(t, "trap 'echo sluice ends; exit 0' TERM; while :; do sleep 0.02; done", "one="+address)
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			sluice := s.pid(t)
			if !answers(t, address) {
				t.Errorf("no backend answers when Sluice starts")
			}
			target := s.Process.Pid
			if signal.toGroup {
				target = -target
			}
			if err := syscall.Kill(target, signal.signal); err != nil {
				t.Fatal(err)
			}
			if err := s.Wait(); err != nil {
				t.Errorf("ended with %v", err)
			}
			if err := syscall.Kill(sluice, 0); err != syscall.ESRCH {
				t.Errorf("Sluice's stand-in is still there: %v", err)
			}
			if answers(t, address) {
				t.Errorf("the backend still answers")
			}
			if !strings.Contains(s.out.String(), "sluice ends") {
				t.Errorf("Sluice was not asked to end:\n%s", s.out)
			}
		})
	}
}

func TestAProcessThatDoesNotEndIsKilled(t *testing.T) {
	s := newScript(t, "trap '' TERM INT; while :; do sleep 0.02; done", "one="+freeport.Address(t))
	s.Env = append(s.Env, "GRACE=1")
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	sluice := s.pid(t)
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if err := syscall.Kill(sluice, 0); err != syscall.ESRCH {
		t.Errorf("Sluice's stand-in is still there: %v", err)
	}
}

func TestSluiceThatFailsEndsTheBackends(t *testing.T) {
	address := freeport.Address(t)
	s := newScript(t, "echo 'sluice: something is wrong' >&2; exit 3", "one="+address)
	if err := s.Run(); s.ProcessState.ExitCode() != 3 {
		t.Errorf("exit %v, want Sluice's own 3", err)
	}
	if answers(t, address) {
		t.Errorf("the backend still answers")
	}
}

func TestOccupiedPortIsNamedAndNothingStarts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s := newScript(t, "exit 0", "one="+freeport.Address(t), "two="+taken.Addr().String())
	if err := s.Run(); s.ProcessState.ExitCode() != 1 {
		t.Errorf("ended with %v, want exit status 1", err)
	}
	for _, want := range []string{taken.Addr().String() + " is taken by another process", "nothing is running"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("printed %q, which lacks %q", s.out, want)
		}
	}
	if _, err := os.Stat(s.started); !os.IsNotExist(err) {
		t.Errorf("Sluice was started: %v", err)
	}
}

func TestMissingBinaryIsNamed(t *testing.T) {
	s := newScript(t, "exit 0", "one="+freeport.Address(t))
	s.Env = append(s.Env, "SLUICE=/nowhere/sluice")
	if err := s.Run(); err == nil || !strings.Contains(s.out.String(), "/nowhere/sluice is missing: run 'make run'") {
		t.Errorf("ended with %v and printed %q", err, s.out)
	}
}
