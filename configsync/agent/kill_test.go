package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync"
	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/gateway"
)

// doom is what a helper process does: it is a whole agent, and dies at a point as soon as the
// file Armed is there.
type doom struct {
	Server, Conf, Prefix, TreeDir, Listen string
	Verify                                time.Duration
	Point                                 point
	Armed                                 string
}

func runDoomed(text string) {
	var d doom
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		panic(err)
	}
	cfg := Config{Server: d.Server, Fleet: "shared", Node: "edge-1", NginxBinary: agenttest.Binary, NginxConf: d.Conf, NginxPrefix: d.Prefix, TreeDir: d.TreeDir,
		Listen: []string{d.Listen}, Sweep: time.Second, Coalesce: 20 * time.Millisecond, VerifyTimeout: d.Verify, RetryAfter: 200 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	cfg.at = func(p point) {
		if p != d.Point {
			return
		}
		if _, err := os.Stat(d.Armed); err == nil {
			die()
		}
	}
	if err := Run(context.Background(), cfg); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// fleet is a controller behind real HTTP, with one nginx whose agent is another process.
type fleet struct {
	*agenttest.Nginx
	t          *testing.T
	controller *configsync.Controller
	server     *httptest.Server
	mode       gateway.FleetMode
	generation uint64
	armed      string
	agent      *exec.Cmd
	log        *os.File
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{Nginx: agenttest.New(t), t: t, controller: configsync.New(configsync.Config{})}
	f.server = httptest.NewServer(f.controller.Handler())
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
	text, err := json.Marshal(doom{Server: f.server.URL, Conf: f.Conf, Prefix: f.Dir, TreeDir: f.TreeDir, Listen: f.Address, Verify: verify, Point: at, Armed: f.armed})
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

// want makes the controller desire something new: one host, which answers 503.
func (f *fleet) want() (host string) {
	f.generation++
	host = fmt.Sprintf("h%d.test", f.generation)
	key := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	route := &gateway.EffectiveRoute{Tenant: "acme", Name: "shop", MaxBodySize: 1 << 20, Targets: []gateway.Target{{Upstream: key, Weight: 1}}}
	f.controller.Apply(&gateway.Snapshot{
		Generation: f.generation,
		Fleets: []*gateway.Fleet{{Meta: gateway.Meta{Kind: gateway.KindFleet, Name: "shared"},
			Spec: gateway.FleetSpec{Mode: f.mode, ReloadBudget: gateway.ReloadBudget{Every: gateway.Duration(20 * time.Millisecond)}}}},
		Tenants: []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
		Hosts:   []*gateway.Host{{Name: host, Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}}},
	})
	return host
}

// settles waits until the node runs what it should and is content with it.
func (f *fleet) settles(host string, more func(gateway.Node) error) gateway.Node {
	f.t.Helper()
	var n gateway.Node
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		n, err = f.controller.Node("shared", "edge-1")
		if err == nil && (n.State != gateway.NodeInSync || n.Reason != "" || n.Running != n.Desired || n.Facts.PID != f.PID()) {
			err = fmt.Errorf("it is %s for %q: failed %+v, check %q, disk %q, runs %q, desired %q, PID %d of %d, load %+v",
				n.State, n.Reason, n.Failed, n.CheckError, n.OnDisk, n.Running, n.Desired, n.Facts.PID, f.PID(), n.NodeLoad)
		}
		if err == nil {
			err = f.answers(host, http.StatusServiceUnavailable)
		}
		if err == nil && more != nil {
			err = more(n)
		}
		if err == nil {
			return n
		}
	}
	f.t.Fatalf("the node does not settle: %v", err)
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

// clean expects that nothing half done is left.
func (f *fleet) clean() error {
	d := disk{root: f.TreeDir}
	var left []string
	for _, pattern := range []string{d.journal(), d.scratch(), filepath.Join(f.Dir, checkName), filepath.Join(f.Dir, leftName+"*"), filepath.Join(d.root, leftName+"*"), filepath.Join(d.root, "*", leftName+"*")} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		left = append(left, found...)
	}
	trees, err := os.ReadDir(filepath.Join(d.root, "trees"))
	if err != nil {
		return err
	}
	bundles, err := os.ReadDir(filepath.Join(d.root, "bundles"))
	if err != nil {
		return err
	}
	if len(left) > 0 || len(trees) > keepTrees+1 || len(bundles) > keepTrees+1 {
		return fmt.Errorf("left behind: %v, %d trees, %d bundles", left, len(trees), len(bundles))
	}
	return nil
}

// found is what the next life of an agent should say after it was killed at a point.
func foundAt(p point) gateway.RecoveryAction {
	switch order := slices.Index(forwardPoints, p); {
	case order < 0:
		return gateway.RecoveryUndone
	case order < slices.Index(forwardPoints, atJournal) || order >= slices.Index(forwardPoints, atJournalGone):
		return gateway.RecoveryNothing
	case order < slices.Index(forwardPoints, atFlipped):
		return gateway.RecoveryForgotten
	}
	return gateway.RecoveryFinished
}

// TestKilledEverywhere kills a real agent with SIGKILL at every point of the way forward and
// back, one after the other on one node. Each time nginx would start and serves, half of the
// times it is restarted before the agent is; the next life says what it found, gets the node
// to what is desired, and leaves nothing behind.
func TestKilledEverywhere(t *testing.T) {
	f := newFleet(t)
	points := slices.Concat(forwardPoints, backPoints)
	host := f.want()
	f.run(points[0], patience)
	f.settles(host, nil)
	for range keepTrees { // so that there is something to prune
		host = f.want()
		f.settles(host, nil)
	}
	for i, p := range points {
		back := slices.Contains(backPoints, p)
		if back { // a reload that does not happen in time makes the agent go back
			if err := syscall.Kill(f.PID(), syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
		f.arm()
		before := host
		host = f.want()
		f.dies(p)
		if err := f.answers(before, http.StatusServiceUnavailable); err != nil && f.answers(host, http.StatusServiceUnavailable) != nil {
			t.Errorf("%s: neither the old nor the new bundle is served: %v", p, err)
		}
		if err := f.Test(); err != nil {
			t.Errorf("%s: nginx would not start: %v", p, err)
		}
		if back {
			if err := syscall.Kill(f.PID(), syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 {
			f.restart()
		}
		next, verify := points[min(i+1, len(points)-1)], patience
		if slices.Contains(backPoints, next) {
			verify = 2 * time.Second
		}
		f.run(next, verify)
		f.settles(host, func(n gateway.Node) error {
			r := n.Recovered
			if r == nil || r.Action != foundAt(p) || (r.Action != gateway.RecoveryNothing && r.Digest == "") {
				return fmt.Errorf("killed at %q, the report says %+v", p, r)
			}
			return f.clean()
		})
		if i%2 == 1 {
			f.restart()
			f.settles(host, nil)
		}
	}
	fmt.Printf("figure agent_kill_points %d points goal 20\n", len(points))
}
