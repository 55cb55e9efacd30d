package faults

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// endpoint is one process that answers requests.
type endpoint struct {
	t             *testing.T
	name, address string
	file          string   // what it has seen
	wrap          []string // what the process is started by
	cmd           *exec.Cmd
}

// startEndpoint runs an endpoint until the end of the test.
func startEndpoint(t *testing.T, name string) *endpoint {
	t.Helper()
	e := &endpoint{t: t, name: name, address: freeport.Address(t), file: filepath.Join(t.TempDir(), "seen")}
	e.start()
	return e
}

func startEndpoints(t *testing.T, names ...string) (all []*endpoint) {
	t.Helper()
	for _, name := range names {
		all = append(all, startEndpoint(t, name))
	}
	return all
}

// start runs the process, anew after a kill.
func (e *endpoint) start() {
	e.t.Helper()
	self, err := os.Executable()
	if err != nil {
		e.t.Fatal(err)
	}
	args := append(e.wrap, self)
	e.cmd = exec.Command(args[0], args[1:]...)
	e.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", roleVariable, e.name, e.address, e.file))
	e.cmd.Stderr = os.Stderr
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	cmd := e.cmd
	e.t.Cleanup(func() {
		_ = cmd.Process.Kill() // SIGKILL ends a stopped process too
		_ = cmd.Wait()
	})
	until(e.t, 30*time.Second, "endpoint "+e.name, func() error { return e.ask("/healthz", http.StatusOK) })
}

func (e *endpoint) ask(path string, want int) error {
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Get("http://" + e.address + path)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != want {
		return fmt.Errorf("%s%s: %s", e.address, path, resp.Status)
	}
	return nil
}

// order tells the endpoint how to behave, as "mode=502" or "delay=300ms".
func (e *endpoint) order(query string) {
	e.t.Helper()
	if err := e.ask("/_order?"+query, http.StatusNoContent); err != nil {
		e.t.Fatal(err)
	}
}

func (e *endpoint) signal(s syscall.Signal) {
	e.t.Helper()
	if err := e.cmd.Process.Signal(s); err != nil {
		e.t.Fatal(err)
	}
}

// kill ends the process at once, and returns when it is gone.
func (e *endpoint) kill() {
	e.signal(syscall.SIGKILL)
	_ = e.cmd.Wait()
}

// request is one that an endpoint saw.
type request struct {
	method, id string
	sent       time.Time // by the client
}

// seen lists the requests that have reached the endpoint.
func (e *endpoint) seen() (all []request) {
	e.t.Helper()
	text, err := os.ReadFile(e.file)
	if err != nil {
		e.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue // one of ours, to see whether it is there; or cut off by a kill
		}
		ns, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			e.t.Fatalf("%s: %q", e.file, line)
		}
		all = append(all, request{f[0], f[1], time.Unix(0, ns)})
	}
	return all
}

// between counts requests that the client sent in that time.
func between(all []request, from, to time.Time) (n int) {
	for _, r := range all {
		if !r.sent.Before(from) && r.sent.Before(to) {
			n++
		}
	}
	return n
}

// duplicates counts POST requests that reached endpoints more often than once.
func duplicates(endpoints []*endpoint) (n int) {
	times := map[string]int{}
	for _, e := range endpoints {
		for _, r := range e.seen() {
			if r.method == http.MethodPost {
				if times[r.id]++; times[r.id] > 1 {
					n++
				}
			}
		}
	}
	return n
}
