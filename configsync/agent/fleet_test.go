package agent

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync"
	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/configsync/enrol"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store/storetest"
	"github.com/sluice-gateway/sluice/test/enroltest"
)

// fleet is a controller behind real HTTP, with one nginx whose agent is another process.
type fleet struct {
	*agenttest.Nginx
	t          *testing.T
	controller *configsync.Controller
	authority  *enrol.Authority
	server     *httptest.Server
	token      string // for edge-1
	mode       gateway.FleetMode
	generation uint64
	endpoint   string
	armed      string
	binary     string
	ahead      time.Duration
	retry      time.Duration
	agent      *exec.Cmd
	log        *os.File
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{Nginx: agenttest.New(t), t: t, binary: agenttest.Binary, endpoint: "127.0.0.1:9", retry: 200 * time.Millisecond}
	s := storetest.OpenTemp(t)
	f.authority = enroltest.New(t, s, nil, nil)
	f.controller = configsync.New(configsync.Config{Signer: f.authority, Numberer: enrol.Numbers{Ledger: s.Ledger("fleet-numbers")}})
	f.server = enroltest.Serve(t, f.authority, "", f.authority.Guard(f.controller.Handler()))
	token, _, err := f.authority.NewToken(t.Context(), "shared", "edge-1", 0, "test")
	if err != nil {
		t.Fatal(err)
	}
	f.token = token
	f.armed = filepath.Join(f.Dir, "armed")
	f.Start(t)
	log, err := os.Create(filepath.Join(f.Dir, "agent.log"))
	if err != nil {
		t.Fatal(err)
	}
	f.log = log
	t.Cleanup(func() {
		if f.agent != nil {
			_ = f.agent.Process.Kill()
			_ = f.agent.Wait()
		}
		f.controller.Close()
		f.server.Close()
		if b, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("the agents said:\n%s", b)
		}
		_ = log.Close()
	})
	return f
}

// run starts an agent that dies at a point once it is armed.
func (f *fleet) run(at point, verify time.Duration) {
	f.t.Helper()
	text, err := json.Marshal(doom{Server: f.server.URL, Token: f.token, Conf: f.Conf, Prefix: f.Dir, TreeDir: f.TreeDir, Listen: f.Address, Verify: verify, Point: at, Armed: f.armed, Binary: f.binary, Ahead: f.ahead, Retry: f.retry})
	if err != nil {
		f.t.Fatal(err)
	}
	f.agent = exec.Command(os.Args[0])
	f.agent.Env = append(os.Environ(), doomed+"="+string(text))
	f.agent.Stdout, f.agent.Stderr = f.log, f.log
	f.agent.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := f.agent.Start(); err != nil {
		f.t.Fatal(err)
	}
}

// dies waits for the agent to be killed by itself.
func (f *fleet) dies(at point) {
	f.t.Helper()
	done := make(chan error, 1)
	go func() { done <- f.agent.Wait() }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "killed") {
			f.t.Fatalf("at %q the agent ended with %v", at, err)
		}
	case <-time.After(patience):
		f.t.Fatalf("the agent never got to %q", at)
	}
	f.agent = nil
	if err := os.Remove(f.armed); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) arm() {
	f.t.Helper()
	if err := os.WriteFile(f.armed, nil, 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// want makes the controller desire something new: one host, whose endpoint is not there.
func (f *fleet) want() (host string) {
	f.generation++
	host = fmt.Sprintf("h%d.test", f.generation)
	key := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	route := &gateway.EffectiveRoute{Tenant: "acme", Name: "shop", MaxBodySize: 1 << 20, Targets: []gateway.Target{{Upstream: key, Weight: 1}}}
	f.controller.Apply(&gateway.Snapshot{
		Generation: f.generation,
		Fleets: []*gateway.Fleet{{Meta: gateway.Meta{Kind: gateway.KindFleet, Name: "shared"},
			Spec: gateway.FleetSpec{Mode: f.mode, WorkerShutdownTimeout: gateway.Duration(7 * time.Second), ReloadBudget: gateway.ReloadBudget{Every: gateway.Duration(100 * time.Millisecond)}}}},
		Tenants:   []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
		Upstreams: []*gateway.EffectiveUpstream{{Key: key, Protocol: "http", Endpoints: []gateway.Endpoint{{Address: f.endpoint, Weight: 1, InRotation: true}}}},
		Hosts:     []*gateway.Host{{Name: host, Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}}},
	})
	return host
}

// settles waits until the node runs what it should and has nothing to complain about.
func (f *fleet) settles(host string, more func(gateway.Node) error) gateway.Node {
	f.t.Helper()
	return f.becomes(gateway.NodeInSync, "", func(n gateway.Node) error {
		if n.Running != n.Desired || n.OnDisk != n.Desired || n.Facts.PID != f.PID() {
			return fmt.Errorf("disk %q, runs %q, desired %q, PID %d of %d", n.OnDisk, n.Running, n.Desired, n.Facts.PID, f.PID())
		}
		if err := f.answers(host, http.StatusBadGateway); err != nil || more == nil {
			return err
		}
		return more(n)
	})
}

// becomes waits until the report says so.
func (f *fleet) becomes(state gateway.NodeState, reason gateway.NodeReason, more func(gateway.Node) error) gateway.Node {
	f.t.Helper()
	var n gateway.Node
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		n, err = f.controller.Node("shared", "edge-1")
		if err == nil && (n.State != state || n.Reason != reason) {
			err = fmt.Errorf("it is %s for %q: failed %+v, check %q, fingerprint %s, load %+v", n.State, n.Reason, n.Failed, n.CheckError, n.Fingerprint, n.NodeLoad)
		}
		if err == nil && more != nil {
			err = more(n)
		}
		if err == nil {
			return n
		}
	}
	f.t.Fatalf("the node does not become %s for %q: %v", state, reason, err)
	return n
}

func (f *fleet) answers(host string, status int) error {
	req, err := http.NewRequest(http.MethodGet, "http://"+f.Address+"/", nil)
	if err != nil {
		return err
	}
	req.Host, req.Close = host, true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode != status {
		return fmt.Errorf("%s is answered with %s", host, res.Status)
	}
	return nil
}

func (f *fleet) restart() {
	f.t.Helper()
	f.Stop()
	if err := f.TryStart(); err != nil {
		f.t.Fatalf("nginx does not start: %v", err)
	}
}
