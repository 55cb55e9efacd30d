package faults

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

const adminToken = "a-token-for-the-fault-tests"

// edge is a running `sluice serve`.
type edge struct {
	t                *testing.T
	http, admin, ops string
	dir              string
	cmd              *exec.Cmd
	log              output
	caller           *http.Client
}

// output collects what a process prints.
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

// The numbers that the peers get too: see rows_test.go.
const (
	attempts      = 3
	perTry        = 500 * time.Millisecond
	probeEvery    = 500 * time.Millisecond
	ejectedAfter  = 5
	firstEjection = 5 * time.Second
)

const tenant = `kind: Tenant
name: acme
spec: {hosts: [shop.test]}
---
kind: Route
name: all
tenant: acme
spec: {hosts: [shop.test], to: [{upstream: api}]}
`

// upstreamOf is an upstream with short times. retry is the whole value of its retry, and more
// are further lines of its spec.
func upstreamOf(name, retry string, endpoints []*endpoint, more ...string) string {
	var list []string
	for _, e := range endpoints {
		list = append(list, fmt.Sprintf("{address: %q}", e.address))
	}
	return fmt.Sprintf(`---
kind: Upstream
name: %s
tenant: acme
spec:
  endpoints: [%s]
  timeouts: {connect: %s, response: %s}
  retry: %s
  health:
    active: {path: /healthz, interval: %s, timeout: %s, rise: 2, fall: 2}
    passive: {consecutiveGatewayErrors: %d, baseEjection: %s}
%s`, name, strings.Join(list, ", "), perTry, perTry, retry, probeEvery, perTry, ejectedAfter, firstEjection, strings.Join(more, "\n")) + "\n"
}

var (
	retryAll  = fmt.Sprintf("{attempts: %d, on: [connect-failure, reset, timeout, gateway-error]}", attempts)
	retryNone = "{attempts: 1}"
)

// newEdge writes the configuration and starts nothing.
func newEdge(t *testing.T, objects string) *edge {
	t.Helper()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	s := &edge{t: t, http: freeport.Address(t), admin: freeport.Address(t), ops: freeport.Address(t), dir: t.TempDir(), caller: &http.Client{Timeout: 10 * time.Second}}
	s.configure(objects)
	return s
}

func (s *edge) configure(objects string) {
	s.t.Helper()
	config := fmt.Sprintf("node: faults\ndataDir: %s/data\nlisteners: [{name: http, address: %q}]\nadmin: {address: %q}\nops: {address: %q}\nobjects: [%s/objects.yaml]\n",
		s.dir, s.http, s.admin, s.ops, s.dir)
	for name, text := range map[string]string{"sluice.yaml": config, "objects.yaml": objects} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

func startEdge(t *testing.T, objects string) *edge {
	t.Helper()
	s := newEdge(t, objects)
	s.start()
	return s
}

// start runs sluice until the end of the test.
func (s *edge) start() {
	s.t.Helper()
	file, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(file, "serve", "--config", filepath.Join(s.dir, "sluice.yaml"))
	s.cmd.Env = append(os.Environ(), "SLUICE_ADMIN_TOKEN="+adminToken)
	s.cmd.Stderr = &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGCONT)
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		if err := s.cmd.Wait(); err != nil {
			s.t.Errorf("sluice ended with %v", err)
		}
		if s.t.Failed() {
			s.t.Logf("%s", &s.log)
		}
	})
	until(s.t, time.Minute, "ready", func() error {
		resp, err := s.caller.Get("http://" + s.ops + "/readyz")
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", resp.Status)
		}
		return nil
	})
	var list struct{ Items []any }
	if err := s.api("/problems", &list); err != nil || len(list.Items) > 0 {
		s.t.Fatalf("problems: %v %v", list.Items, err)
	}
}

func (s *edge) url() string { return "http://" + s.http + "/" }

// verdict is what the edge says about one endpoint.
type verdict struct {
	Address    string
	InRotation bool
	Verdict    struct {
		State, Reason, Rule string
		Since, Until        time.Time
	}
}

func (v verdict) String() string {
	return fmt.Sprintf("%s %s (in rotation: %t, %s: %s)", v.Address, v.Verdict.State, v.InRotation, v.Verdict.Rule, v.Verdict.Reason)
}

// verdicts asks the API for those of one upstream.
func (s *edge) verdicts(upstream string) ([]verdict, error) {
	var v struct {
		Upstream struct {
			Panic     bool
			Endpoints []verdict
		}
	}
	err := s.api("/tenants/acme/upstreams/"+upstream+"/endpoints", &v)
	return v.Upstream.Endpoints, err
}

func (s *edge) verdictOf(upstream, address string) (verdict, error) {
	all, err := s.verdicts(upstream)
	if err != nil {
		return verdict{}, err
	}
	for _, v := range all {
		if v.Address == address {
			return v, nil
		}
	}
	return verdict{}, fmt.Errorf("no endpoint %s: %v", address, all)
}

// awaitState waits for one of the states and returns the verdict.
func (s *edge) awaitState(upstream, address string, patience time.Duration, states ...string) (v verdict) {
	s.t.Helper()
	until(s.t, patience, strings.Join(states, " or "), func() (err error) {
		if v, err = s.verdictOf(upstream, address); err != nil {
			return err
		}
		for _, want := range states {
			if v.Verdict.State == want {
				return nil
			}
		}
		return fmt.Errorf("%s", v)
	})
	return v
}

func (s *edge) api(path string, out any) error {
	req, err := http.NewRequest(http.MethodGet, "http://"+s.admin+"/api/v1"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := s.caller.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s %s %w", path, resp.Status, b, err)
	}
	return json.Unmarshal(b, out)
}
