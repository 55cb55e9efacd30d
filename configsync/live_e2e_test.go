package configsync_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/gateway"
)

// newLuaWorld is a world whose nginx all have the Lua module.
func newLuaWorld(t *testing.T, nodes int) *world {
	t.Helper()
	w := newWorld(t, 0)
	for i := range nodes {
		e := &edge{Nginx: agenttest.New(t), name: fmt.Sprintf("edge-%d", i+1)}
		e.LoadLua(t, 2)
		e.Start(t)
		w.startAgent(e)
		w.edges = append(w.edges, e)
	}
	return w
}

// balanced gives shop.test these endpoints and leaves everything else as it is.
func (w *world) balanced(endpoints ...gateway.Endpoint) {
	s := w.snapshot
	s.Generation++
	u := *s.Upstreams[0]
	u.Endpoints = endpoints
	s.Upstreams = []*gateway.EffectiveUpstream{&u}
	w.snapshot = s
	w.controller.Apply(&s)
}

func up(address string) gateway.Endpoint {
	return gateway.Endpoint{Address: address, Weight: 1, InRotation: true}
}

func ejected(address string) gateway.Endpoint {
	return gateway.Endpoint{Address: address, Weight: 1, Verdict: gateway.Verdict{State: gateway.StateEjected}}
}

// endpointsBy waits until all nodes say how they get their endpoints.
func (w *world) endpointsBy(want string) {
	w.t.Helper()
	w.until("endpoints by "+want, func() error {
		nodes, err := w.controller.Nodes("shared")
		if err == nil && len(nodes) != len(w.edges) {
			err = fmt.Errorf("%d nodes have reported", len(nodes))
		}
		for _, n := range nodes {
			if !strings.HasPrefix(n.Endpoints, want) || n.State != gateway.NodeInSync {
				err = errors.Join(err, fmt.Errorf("%s says %q and is %s: %+v", n.Node, n.Endpoints, n.State, n.Failed))
			}
		}
		return err
	})
}

// answers waits until every node answers with body only, and returns how long the slowest took.
func (w *world) answers(since time.Time, body string) time.Duration {
	w.t.Helper()
	times := make([]time.Duration, len(w.edges))
	var group sync.WaitGroup
	for i, e := range w.edges {
		group.Go(func() {
			for deadline := since.Add(patience); ; time.Sleep(2 * time.Millisecond) {
				if alike(e, body) {
					times[i] = time.Since(since)
					return
				}
				if time.Now().After(deadline) {
					w.t.Errorf("%s does not answer %q", e.name, body)
					return
				}
			}
		})
	}
	group.Wait()
	return slices.Max(times)
}

// alike says whether four requests in a row are answered with body: each worker of a node and
// each endpoint of an upstream would be among them.
func alike(e *edge, body string) bool {
	for range 4 {
		if _, text, err := get(e, "shop.test"); err != nil || !strings.Contains(text, body) {
			return false
		}
	}
	return true
}

// state is what must not change while only endpoints do.
func (w *world) state() string {
	w.t.Helper()
	var b strings.Builder
	for _, e := range w.edges {
		n, err := w.controller.Node("shared", e.name)
		if err != nil {
			w.t.Fatal(err)
		}
		link, err := os.Readlink(filepath.Join(e.TreeDir, "current"))
		if err != nil {
			w.t.Fatal(err)
		}
		_, _ = fmt.Fprintln(&b, e.name, n.Desired, n.Reloads, link, e.PID(), e.Workers())
	}
	return b.String()
}

func TestLiveEndpoints(t *testing.T) {
	w := newLuaWorld(t, 2)
	one, two := backend(t, "one"), backend(t, "two")
	w.serve("", one)
	w.endpointsBy(gateway.EndpointsByLua)
	w.answers(time.Now(), "one")
	before := w.state()

	t.Log("another endpoint")
	start := time.Now()
	w.balanced(up(two))
	took := w.answers(start, "two")
	t.Logf("figure lua_endpoint_change %d ms goal 1000", took.Milliseconds())

	t.Log("an ejection, and the way back")
	w.balanced(up(one), up(two))
	w.until("both to be asked", func() error {
		for _, e := range w.edges {
			if alike(e, "one") || alike(e, "two") {
				return errors.New(e.name + " asks one only")
			}
		}
		return nil
	})
	start = time.Now()
	w.balanced(ejected(one), up(two))
	took = max(took, w.answers(start, "two"))
	t.Logf("figure lua_ejection %d ms goal 1000", time.Since(start).Milliseconds())
	if took > 10*time.Second {
		t.Errorf("a change took %s", took)
	}

	t.Log("no endpoints")
	w.balanced()
	w.until("503", func() error {
		for _, e := range w.edges {
			if code, _, err := get(e, "shop.test"); code != http.StatusServiceUnavailable {
				return fmt.Errorf("%s answers %d %w", e.name, code, err)
			}
		}
		return nil
	})
	w.balanced(up(one))
	w.answers(time.Now(), "one")
	w.endpointsBy(gateway.EndpointsByLua)
	if after := w.state(); after != before {
		t.Errorf("endpoints changed more than themselves: before\n%safter\n%s", before, after)
	}
	w.until("the version of the sets to be reported", func() error {
		nodes, err := w.controller.Nodes("shared")
		if err == nil && (nodes[0].Live == "" || nodes[0].Live != nodes[1].Live) {
			err = fmt.Errorf("they are %q and %q", nodes[0].Live, nodes[1].Live)
		}
		return err
	})
}

// TestLiveRestart: nginx comes back with its endpoints while agent and control plane are away,
// and a stale file is corrected once they are there.
func TestLiveRestart(t *testing.T) {
	w := newLuaWorld(t, 1)
	one, two := backend(t, "one"), backend(t, "two")
	e := w.edges[0]
	w.serve("", one)
	w.endpointsBy(gateway.EndpointsByLua)
	w.balanced(up(two))
	w.answers(time.Now(), "two")
	file := filepath.Join(e.TreeDir, "live", "sets")
	w.until("the sets to be written down", func() error {
		b, err := os.ReadFile(file)
		if err == nil && !strings.Contains(string(b), two) {
			err = fmt.Errorf("%s holds %s", file, b)
		}
		return err
	})
	e.stop()
	e.Stop()
	e.Start(t)
	w.answers(time.Now(), "two")

	t.Log("nginx is killed and started with a file of before while the agent lives")
	w.startAgent(e)
	w.endpointsBy(gateway.EndpointsByLua)
	e.Kill()
	w.until("the left sockets to be removed", func() error {
		for _, name := range []string{"sluice.sock", "live/push.sock"} {
			if _, err := os.Lstat(filepath.Join(e.TreeDir, name)); err == nil {
				return errors.New(name + " is still there")
			}
		}
		return nil
	})
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stale := strings.Replace(strings.Replace(string(b), two, one, 1), "version ", "version 0", 1)
	if err := os.WriteFile(file, []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	e.Start(t)
	w.answers(time.Now(), "two")
}

// TestLiveFallsBack: what keeps Lua from working is reported, and the endpoints go into the
// files; when it is gone, they go out of them again.
func TestLiveFallsBack(t *testing.T) {
	w := newLuaWorld(t, 1)
	one, two := backend(t, "one"), backend(t, "two")
	e := w.edges[0]
	w.serve("", one)
	w.endpointsBy(gateway.EndpointsByLua)

	t.Log("the fleet says so")
	w.fleetEndpoints("static")
	w.endpointsBy("static: the bundle has them in its files")
	w.balanced(up(two))
	w.answers(time.Now(), "two")
	w.fleetEndpoints("auto")
	w.endpointsBy(gateway.EndpointsByLua)
	w.answers(time.Now(), "two")

	t.Log("the socket is gone")
	if err := os.Remove(filepath.Join(e.TreeDir, "live", "push.sock")); err != nil {
		t.Fatal(err)
	}
	w.endpointsBy("static: give nginx its endpoint sets: ")
	w.balanced(up(one))
	w.answers(time.Now(), "one")

	t.Log("another nginx, another chance")
	e.Stop()
	e.Start(t)
	w.endpointsBy(gateway.EndpointsByLua)
	w.answers(time.Now(), "one")

	t.Log("an init_by_lua of somebody else")
	b, err := os.ReadFile(e.Conf)
	if err != nil {
		t.Fatal(err)
	}
	own := strings.Replace(string(b), "access_log off;", "access_log off;\n    init_by_lua_block { mine = { 1 } }", 1)
	if err := os.WriteFile(e.Conf, []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	w.endpointsBy("static: " + e.Conf + " has init_by_lua of its own")
	w.answers(time.Now(), "one")
	if err := e.Test(); err != nil {
		t.Error(err)
	}

	t.Log("no module")
	none := string(b)[strings.Index(string(b), "user "):]
	if err := os.WriteFile(e.Conf, []byte(none), 0o644); err != nil {
		t.Fatal(err)
	}
	// Until somebody reloads nginx, the edit would be drift.
	if err := syscall.Kill(e.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	w.endpointsBy("static: nginx does not load ngx_http_lua_module.so")
	w.answers(time.Now(), "one")
	if err := os.WriteFile(e.Conf, b, 0o644); err != nil {
		t.Fatal(err)
	}
	w.endpointsBy(gateway.EndpointsByLua)
	w.answers(time.Now(), "one")
}

func (w *world) fleetEndpoints(value string) {
	s := w.snapshot
	s.Generation++
	f := *s.Fleets[0]
	f.Spec.Endpoints = value
	s.Fleets = []*gateway.Fleet{&f}
	w.snapshot = s
	w.controller.Apply(&s)
}

// TestLiveManyNodes: one change at 20 nodes.
func TestLiveManyNodes(t *testing.T) {
	w := newLuaWorld(t, 20)
	one, two := backend(t, "one"), backend(t, "two")
	w.serve("", one)
	w.endpointsBy(gateway.EndpointsByLua)
	before := w.state()
	start := time.Now()
	w.balanced(up(two))
	took := w.answers(start, "two")
	t.Logf("figure lua_20_nodes %d ms goal 1000", took.Milliseconds())
	if took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if after := w.state(); after != before {
		t.Errorf("endpoints changed more than themselves: before\n%safter\n%s", before, after)
	}
}

// TestLiveRemovedUpstream: a route moves to another upstream and its old one is deleted. The
// sets are there at once and the files later: meanwhile the old files still find endpoints.
func TestLiveRemovedUpstream(t *testing.T) {
	w := newLuaWorld(t, 1)
	e := w.edges[0]
	one, two := backend(t, "one"), backend(t, "two")
	w.serve("", one)
	w.endpointsBy(gateway.EndpointsByLua)

	s := w.snapshot
	s.Generation++
	fleet := *s.Fleets[0]
	fleet.Spec.ReloadBudget.Every = gateway.Duration(4 * time.Second)
	s.Fleets = []*gateway.Fleet{&fleet}
	key := gateway.UpstreamKey{Tenant: "acme", Name: "next"}
	route := *s.Hosts[0].Rules[0].Route
	route.Targets = []gateway.Target{{Upstream: key, Weight: 1}}
	s.Hosts = []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: &route}}}}
	s.Upstreams = []*gateway.EffectiveUpstream{{Key: key, Protocol: "http", Endpoints: []gateway.Endpoint{up(two)}}}
	w.snapshot = s
	w.controller.Apply(&s)
	old := 0
	w.until("the new upstream to be asked", func() error {
		code, text, err := get(e, "shop.test")
		if err != nil || code != http.StatusOK {
			t.Errorf("a request failed: %d %s %v", code, text, err)
		}
		if strings.Contains(text, "two") {
			return nil
		}
		old++
		return errors.New("the old one is asked")
	})
	if old == 0 {
		t.Error("the files changed at once, so this tests nothing")
	}
	w.until("the old set to go", func() error {
		b, err := os.ReadFile(filepath.Join(e.TreeDir, "live", "sets"))
		if err == nil && (strings.Contains(string(b), "set acme.api\n") || !strings.Contains(string(b), "set acme.next\n")) {
			err = fmt.Errorf("the sets are %s", b)
		}
		return err
	})
	w.endpointsBy(gateway.EndpointsByLua)
}
