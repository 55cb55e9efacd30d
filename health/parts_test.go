package health

import (
	"bytes"
	"errors"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// part is a server of Debian's that runs for a test.
type part struct {
	cmd *exec.Cmd
	out bytes.Buffer
	end func()
}

// startPart runs a command until the end of the test, or of part.end.
func startPart(t *testing.T, name string, args ...string) *part {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed: run make packages (%v)", name, err)
	}
	p := &part{cmd: exec.Command(path, args...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.end = sync.OnceFunc(func() {
		_ = p.cmd.Process.Kill()
		var killed *exec.ExitError
		if err := p.cmd.Wait(); err != nil && !errors.As(err, &killed) {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.out.String())
		}
	})
	t.Cleanup(p.end)
	return p
}

// eventually probes until the result is the wanted one: servers take time to start, and
// replicas to see that their master has gone.
func eventually(t *testing.T, check gateway.ActiveCheck, address, want string) {
	t.Helper()
	var r Result
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if r = once(t, check, address); r.Err == want {
			return
		}
	}
	t.Fatalf("%s at %s: %+v, want %q", check.Type, address, r, want)
}
