package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// The quick start as `make run` starts it, with the real binaries and its own objects on free
// ports: it serves, and a terminal's Ctrl-C ends all of it cleanly within 10 seconds.
func TestQuickstartEndsOnCtrlC(t *testing.T) {
	objects := t.TempDir()
	var listen []string
	var moves []string // pairs of the example's addresses and free ones
	for i, name := range []string{"one", "two", "three", "four"} {
		address := freeport.Address(t)
		listen = append(listen, name+"="+address)
		moves = append(moves, fmt.Sprintf("127.0.0.1:%d", 9101+i), address)
	}
	files, err := filepath.Glob("../../examples/quickstart/objects/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("object files: %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		moved := strings.NewReplacer(moves...).Replace(string(text))
		if err := os.WriteFile(filepath.Join(objects, filepath.Base(file)), []byte(moved), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := configure(t, "objects: ["+objects+"]\n")
	out := &output{}
	run := exec.Command("../../examples/quickstart/run.sh")
	run.Env = append(os.Environ(), "SLUICE="+program(t, "sluice"), "BACKEND="+program(t, "backend"), "CONFIG="+s.dir+"/sluice.yaml",
		"LISTEN="+strings.Join(listen, " "), "SLUICE_ADMIN_TOKEN="+adminToken, "TMPDIR="+t.TempDir())
	run.Stdout, run.Stderr = out, out
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal to the group is a terminal's Ctrl-C
	run.WaitDelay = time.Minute
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if run.ProcessState == nil { // the test ended early
			_ = syscall.Kill(-run.Process.Pid, syscall.SIGINT)
			t.Logf("%s ends with %v and wrote:\n%s", run.Path, run.Wait(), out)
		}
	})
	until(t, time.Minute, "an answer of a sample backend", func() error {
		if name, status := s.answeredBy("shop.example.com"); name == "" || status != 200 {
			return fmt.Errorf("status %d of %q", status, name)
		}
		return nil
	})
	status := s.must("status")
	for _, listener := range []string{s.http, s.agents} {
		if n := strings.Count(status, listener+"\n"); n != 1 {
			t.Errorf("sluice status tells listener %s %d times:\n%s", listener, n, status)
		}
	}
	began := time.Now()
	if err := syscall.Kill(-run.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		t.Errorf("ended with %v:\n%s", err, out)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v to end:\n%s", took, out)
	}
	for _, place := range []string{s.http, s.admin, moves[1]} {
		if err := expectStatus("http://"+place+"/", 200); err == nil {
			t.Errorf("%s still answers", place)
		}
	}
}
