package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand for the real program, so that signals and a dying
// parent are tried on a process.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_BACKEND") == "1" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// addresses waits for the ready file and returns the address of each name.
func addresses(t *testing.T, file string) map[string]string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		found := map[string]string{}
		for line := range strings.Lines(string(text)) {
			name, address, _ := strings.Cut(strings.TrimSpace(line), " ")
			found[name] = address
		}
		return found
	}
	t.Fatal("the backends did not become ready")
	return nil
}

func TestRunAnswersOnEveryAddressUntilTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready := filepath.Join(t.TempDir(), "ready")
	ended := make(chan error, 1)
	var out strings.Builder
	go func() {
		ended <- run(ctx, []string{"-listen", "one=127.0.0.1:0", "-listen", "two=127.0.0.1:0", "-ready", ready}, &out)
	}()
	at := addresses(t, ready)
	if len(at) != 2 {
		t.Fatalf("addresses %v", at)
	}
	order(t, "http://"+at["two"], "hang=1") // must not delay the end
	for name, address := range at {
		status, body, err := do(t, "GET", "http://"+address+"/_control")
		if err != nil || status != 200 || !strings.HasPrefix(body, "backend "+name+" ") {
			t.Errorf("%s: status %d, %q, %v", name, status, body, err)
		}
	}
	conn, err := net.Dial("tcp", at["two"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	waitForRequest(t, at["two"])
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("did not end")
	}
	if want := "backend: two now never answers; /healthz is well\n"; !strings.Contains(out.String(), want) {
		t.Errorf("printed %q, which lacks %q", out.String(), want)
	}
}

// waitForRequest waits until the backend has counted a request.
func waitForRequest(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, body, err := do(t, "GET", "http://"+address+"/_control"); err == nil && strings.Contains(body, "requests so far: 1") {
			return
		}
	}
	t.Fatal("the request did not arrive")
}

func TestRunRefusesAnOccupiedAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	ready := filepath.Join(t.TempDir(), "ready")
	err = run(t.Context(), []string{"-listen", "one=127.0.0.1:0", "-listen", "two=" + taken.Addr().String(), "-ready", ready}, new(strings.Builder))
	want := taken.Addr().String() + ` is taken by another process, so backend "two" cannot listen there`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	if _, err := os.Stat(ready); !os.IsNotExist(err) {
		t.Errorf("ready file exists: %v", err)
	}
}

func TestRunRefusesBadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"":                             "no address to listen on",
		"-listen 127.0.0.1:0":          "write name=address",
		"-listen one=127.0.0.1:notone": `listen for backend "one"`,
	} {
		if err := run(t.Context(), strings.Fields(args), new(strings.Builder)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", args, err, want)
		}
	}
}

func TestProcessEndsOnSignals(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(fmt.Sprint(sig), func(t *testing.T) {
			ready := filepath.Join(t.TempDir(), "ready")
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-listen", "one=127.0.0.1:0", "-ready", ready)
			cmd.Env = append(os.Environ(), "RUN_BACKEND=1")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			addresses(t, ready)
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			stop := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
			defer stop.Stop()
			if err := cmd.Wait(); err != nil {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestProcessEndsWithItsParent(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	// The shell says the backend's pid, waits for a line and is gone, without any signal.
	shell := exec.CommandContext(t.Context(), "sh", "-c", `"$0" -listen one=127.0.0.1:0 -parent $$ -ready "$1" >/dev/null 2>&1 & echo $!; read line`, os.Args[0], ready)
	shell.Env = append(os.Environ(), "RUN_BACKEND=1")
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(bufio.NewReader(out), &pid); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() { // else the backend has ended, and its pid may be another's by now
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}()
	at := addresses(t, ready)
	if status, _, err := do(t, "GET", "http://"+at["one"]+"/"); err != nil || status != 200 {
		t.Fatalf("while the parent lives: status %d, %v", status, err)
	}
	if _, err := in.Write([]byte("end\n")); err != nil {
		t.Fatal(err)
	}
	if err := shell.Wait(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, _, err := do(t, "GET", "http://"+at["one"]+"/"); err != nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal("still answers after its parent is gone")
		}
	}
}
