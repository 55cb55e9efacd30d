package configsync_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync"
	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/sandbox"
	"github.com/sluice-gateway/sluice/gateway"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// shops makes the snapshot of two tenants with an upstream and a host each; the first has an
// override.
func (w *world) shops(override, acme, other string) {
	s := w.snapshot
	s.Generation++
	s.Tenants, s.Hosts, s.Upstreams = nil, nil, nil
	for _, o := range []struct{ tenant, host, address, override string }{{"acme", "shop.test", acme, override}, {"other", "other.test", other, ""}} {
		key := gateway.UpstreamKey{Tenant: o.tenant, Name: "api"}
		route := &gateway.EffectiveRoute{Tenant: o.tenant, Name: "shop", Targets: []gateway.Target{{Upstream: key, Weight: 1}}}
		if o.override != "" {
			route.Nginx = []gateway.NginxText{{Override: gateway.Ref{Kind: gateway.KindOverride, Tenant: o.tenant, Name: "slow"}, Text: o.override}}
		}
		s.Tenants = append(s.Tenants, &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: o.tenant}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}})
		s.Hosts = append(s.Hosts, &gateway.Host{Name: o.host, Tenant: o.tenant, Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}})
		s.Upstreams = append(s.Upstreams, &gateway.EffectiveUpstream{Key: key, Protocol: "http", Endpoints: []gateway.Endpoint{{Address: o.address, Weight: 1, InRotation: true}}})
	}
	w.snapshot = s
	w.controller.Apply(&s)
}

// TestCheckBeforeNodes: an override that nginx refuses never reaches a node. The other
// tenant's change does, and the culprit's own file stays as it was good.
func TestCheckBeforeNodes(t *testing.T) {
	w := newWorldWith(t, 2, configsync.Config{Check: sandbox.New(sandbox.Config{Log: logger(t)})})
	one, two, three := backend(t, "one"), backend(t, "two"), backend(t, "three")
	w.shops("proxy_read_timeout 7s;", one, two)
	w.until("the first bundle", func() error { return w.holds("proxy_read_timeout 7s;") })
	w.allAre(gateway.NodeInSync)

	w.shops("proxy_read_timeout banana;", one, three)
	w.until("the override to be named", func() error { return w.refused("fleet shared") })
	w.until("the other tenant's change", func() error { return w.answersFrom("other.test", "three") })
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 200, "one")
	if err := w.holds("proxy_read_timeout 7s;"); err != nil {
		t.Errorf("the last good version: %v", err)
	}
	nodes, err := w.controller.Nodes("shared")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Failed != nil || n.ReloadsFailed > 0 {
			t.Errorf("%s saw it: %+v", n.Node, n.Failed)
		}
	}

	t.Log("mended, it ships")
	w.shops("proxy_read_timeout 9s;", one, three)
	w.until("the correction to be on all nodes", func() error { return w.holds("proxy_read_timeout 9s;") })
	w.allAre(gateway.NodeInSync)
	if p := w.controller.Problems(); len(p) != 0 {
		t.Errorf("problems are left: %+v", p)
	}
}

// TestCheckOfNewTenant: without a good version before, the culprit's host answers 503 on
// every node, and no wildcard takes it.
func TestCheckOfNewTenant(t *testing.T) {
	w := newWorldWith(t, 1, configsync.Config{Check: sandbox.New(sandbox.Config{Log: logger(t)})})
	w.shops("proxy_read_timeout banana;", backend(t, "one"), backend(t, "two"))
	w.until("the other tenant", func() error { return w.answersFrom("other.test", "two") })
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 503, "")
}

// answersFrom says whether every node answers for a host with a text.
func (w *world) answersFrom(host, text string) error {
	for _, e := range w.edges {
		if code, body, err := get(e, host); err != nil || code != 200 || len(body) < len(text) || body[:len(text)] != text {
			return fmt.Errorf("%s answers %d %q (%w)", e.name, code, body, err)
		}
	}
	return nil
}

// largeFleet has a host and an upstream for each of n tenants.
func largeFleet(n int) *gateway.Snapshot {
	s := &gateway.Snapshot{}
	for i := range n {
		name := fmt.Sprintf("t%05d", i)
		key := gateway.UpstreamKey{Tenant: name, Name: "api"}
		route := &gateway.EffectiveRoute{Tenant: name, Name: "all", Targets: []gateway.Target{{Upstream: key, Weight: 1}}}
		s.Tenants = append(s.Tenants, &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: name}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}})
		s.Hosts = append(s.Hosts, &gateway.Host{Name: name + ".test", Tenant: name, Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}})
		s.Upstreams = append(s.Upstreams, &gateway.EffectiveUpstream{Key: key, Endpoints: []gateway.Endpoint{{Address: "10.0.0.1:80", Weight: 1, InRotation: true}}})
	}
	return s
}

// TestCheckTime measures what a check of a large fleet's bundle takes; the larger one needs
// its limits raised by the number of files.
func TestCheckTime(t *testing.T) {
	facts := gateway.NodeFacts{TreePath: "/t/current", Modules: []string{"http_upstream_zone_module"}}
	box := sandbox.New(sandbox.Config{Log: logger(t), Timeout: 5 * time.Minute})
	if _, _, err := box.Build(context.Background()); err != nil {
		t.Fatal(err)
	}
	for tenants, goal := range map[int]float64{500: 2, 10000: 30} {
		tree, _ := nginxconf.Render(largeFleet(tenants), "shared", facts)
		start := time.Now()
		c, err := box.Check(context.Background(), &tree, facts)
		took := time.Since(start).Seconds()
		if err != nil || c != nil {
			t.Fatalf("%v %v", c, err)
		}
		t.Logf("figure check_%d_tenants %.3f seconds goal %.0f", tenants, took, goal)
		if took > 10*goal {
			t.Errorf("a check of %d tenants took %.1f s", tenants, took)
		}
	}
}
