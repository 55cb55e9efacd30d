package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/freeport"
)

const adminToken = "a-token-for-the-end-to-end-tests"

// programs builds the binaries once for all tests.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sluice-e2e-")
	if err != nil {
		return "", err
	}
	for name, pkg := range map[string]string{"sluice": "../../cmd/sluice", "backend": "../../examples/backend"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// program is the path of a built binary.
func program(t *testing.T, name string) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// instance is one running `sluice serve`.
type instance struct {
	t                        *testing.T
	dir                      string
	http, admin, ops, agents string
	cmd                      *exec.Cmd
	log                      *output
}

// output collects what a process prints, for readers at any time.
type output struct {
	mu  sync.Mutex
	all bytes.Buffer // guarded by mu
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// configure writes a sluice.yaml on free ports; more is appended to it.
func configure(t *testing.T, more string) *instance {
	t.Helper()
	s := &instance{t: t, dir: t.TempDir(), http: freeport.Address(t), admin: freeport.Address(t), ops: freeport.Address(t), agents: freeport.Address(t), log: &output{}}
	text := fmt.Sprintf("node: e2e\ndataDir: %s/data\nlisteners: [{name: http, address: %q}]\nadmin: {address: %q}\nops: {address: %q}\nagents: {address: %q}\n%s", s.dir, s.http, s.admin, s.ops, s.agents, more)
	if err := os.WriteFile(s.dir+"/sluice.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// start runs sluice until the end of the test, when it must end cleanly within 10 seconds.
func (s *instance) start() {
	s.t.Helper()
	s.launch()
	s.t.Cleanup(func() {
		begin := time.Now()
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		if err := s.cmd.Wait(); err != nil {
			s.t.Errorf("sluice ended with %v\n%s", err, s.log)
		}
		if took := time.Since(begin); took > 10*time.Second {
			s.t.Errorf("sluice took %v to end", took)
		}
	})
}

func (s *instance) launch() {
	s.t.Helper()
	s.spawn()
	until(s.t, time.Minute, "ready", func() error { return expectStatus("http://"+s.ops+"/readyz", 200) })
}

// spawn begins the process and waits for nothing.
func (s *instance) spawn() {
	s.t.Helper()
	s.cmd = exec.Command(program(s.t, "sluice"), "serve", "--config", s.dir+"/sluice.yaml")
	s.cmd.Env = append(os.Environ(), "SLUICE_ADMIN_TOKEN="+adminToken)
	s.cmd.Stderr = s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the process as kill -9 does.
func (s *instance) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// startTime is when the process that serves /metrics was started, as it says itself.
func (s *instance) startTime() string {
	s.t.Helper()
	resp, err := http.Get("http://" + s.ops + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "\nprocess_start_time_seconds ")
	if !ok {
		s.t.Fatalf("no process_start_time_seconds in the metrics:\n%s", b)
	}
	at, _, _ := strings.Cut(rest, "\n")
	return at
}

// until polls f until it gives nil.
func until(t *testing.T, patience time.Duration, what string, f func() error) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		err := f()
		if err == nil {
			return time.Since(begin)
		}
		if time.Since(begin) > patience {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func expectStatus(url string, want int) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != want {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// api calls the admin API and reads the answer into out, when that is not nil.
func (s *instance) api(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, "http://"+s.admin+"/api/v1"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 400 {
		return fmt.Errorf("%s %s: %s %s %w", method, path, resp.Status, b, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// backend starts a sample backend and returns its address.
func backend(t *testing.T, name, address string) string {
	t.Helper()
	if address == "" {
		address = freeport.Address(t)
	}
	cmd := exec.Command(program(t, "backend"), "-listen", name+"="+address)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	until(t, 30*time.Second, "backend", func() error { return expectStatus("http://"+address+"/healthz", 200) })
	return address
}

// answeredBy asks the proxy and returns which backend answered.
func (s *instance) answeredBy(host string) (name string, status int) {
	req, err := http.NewRequest(http.MethodGet, "http://"+s.http+"/", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error(), 0
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get("X-Backend"), resp.StatusCode
}

// objects writes an object file that sluice.yaml can name.
func objectFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "objects.yaml")
	if err := os.WriteFile(file, []byte(strings.TrimSpace(text)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
