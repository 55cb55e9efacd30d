package configsync

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

func testSnapshot(fleets []string, address, override string) *gateway.Snapshot {
	key := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	ref := gateway.Ref{Kind: gateway.KindOverride, Tenant: "acme", Name: "o"}
	route := &gateway.EffectiveRoute{Tenant: "acme", Name: "shop", Targets: []gateway.Target{{Upstream: key, Weight: 1}}, Nginx: []gateway.NginxText{{Override: ref, Text: override}}}
	s := &gateway.Snapshot{
		Tenants:   []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
		Hosts:     []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}}},
		Upstreams: []*gateway.EffectiveUpstream{{Key: key, Endpoints: []gateway.Endpoint{{Address: address, Weight: 1, InRotation: true}}}},
	}
	for _, f := range fleets {
		s.Fleets = append(s.Fleets, &gateway.Fleet{Meta: gateway.Meta{Kind: gateway.KindFleet, Name: f}})
	}
	return s
}

func report(node string) gateway.NodeReport {
	return gateway.NodeReport{Fleet: "shared", Node: node, Facts: gateway.NodeFacts{TreePath: "/t/current"}}
}

func mustSync(t *testing.T, c *Controller, r gateway.NodeReport) protocol.SyncResponse {
	t.Helper()
	out, err := c.sync(context.Background(), protocol.SyncRequest{Report: r})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUnknownFleet(t *testing.T) {
	c := New(Config{})
	if _, err := c.Nodes("shared"); !errors.Is(err, gateway.ErrNotFound) || !strings.Contains(err.Error(), "no fleet exists yet") {
		t.Errorf("before the first snapshot: %v", err)
	}
	c.Apply(testSnapshot([]string{"private", "shared"}, "10.0.0.1:80", ""))
	r := report("edge-1")
	r.Fleet = "shard"
	_, err := c.sync(context.Background(), protocol.SyncRequest{Report: r})
	want := `fleet "shard": not found: the fleets are ["private" "shared"]; apply an object of kind Fleet with this name, or correct the name`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if _, err := c.Node("shared", "edge-9"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("unknown node: %v", err)
	}
}

func TestHandlerErrors(t *testing.T) {
	c := New(Config{Signer: plainSigner{}, Numberer: &counter{}})
	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.1:80", ""))
	mustSync(t, c, report("edge-1"))
	for _, q := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", protocol.PathSync, "{", 400, `"code":"invalid"`},
		{"POST", protocol.PathSync, `{"report":{"fleet":"x","node":"edge-1"}}`, 404, `"code":"not_found"`},
		{"GET", protocol.PathBundle + "?fleet=shared&node=edge-1&above=x", "", 400, `"code":"invalid"`},
		{"GET", protocol.PathBundle + "?fleet=shared&node=edge-1&facts=" + strings.Repeat("x", 65), "", 400, `"code":"invalid"`},
		{"POST", protocol.PathSync, `{"report":{"fleet":"shared","node":"a/b"}}`, 400, `"code":"invalid"`},
		{"POST", protocol.PathSync, `{"report":{"fleet":"shared","node":"desired"}}`, 400, `"code":"invalid"`},
		{"GET", protocol.PathBundle + "?fleet=shared&node=edge-1&digest=0", "", 404, "not desired any more"},
		{"GET", protocol.PathBundle + "?fleet=shared&node=edge-2", "", 404, "the nodes that have reported are"},
		{"GET", protocol.PathBundle + "?fleet=shared&node=edge-1", "", 200, `"digest":`},
		{"PUT", protocol.PathTree + "?fleet=shared&node=edge-1", "[", 400, `"code":"invalid"`},
		{"PUT", protocol.PathTree + "?fleet=shared&node=edge-2", "{}", 404, `"code":"not_found"`},
		{"PUT", protocol.PathTree + "?fleet=shared&node=edge-1", "{}", 204, ""},
		{"GET", "/agent/v1/other", "", 404, ""},
	} {
		w := httptest.NewRecorder()
		anyNode(c.Handler()).ServeHTTP(w, httptest.NewRequest(q.method, q.path, strings.NewReader(q.body)))
		if w.Code != q.status || !strings.Contains(w.Body.String(), q.code) {
			t.Errorf("%s %s %s: %d %s", q.method, q.path, q.body, w.Code, w.Body)
		}
	}
}

// TestLongPoll: an agent that has the desired bundle waits, a change wakes it at once.
func TestLongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{})
		c.Apply(testSnapshot([]string{"shared"}, "10.0.0.1:80", ""))
		have := mustSync(t, c, report("edge-1")).Desired
		wait := func() (protocol.SyncResponse, time.Duration) {
			start := time.Now()
			out, err := c.sync(t.Context(), protocol.SyncRequest{Report: report("edge-1"), Have: have, Wait: gateway.Duration(time.Hour)})
			if err != nil {
				t.Error(err)
			}
			return out, time.Since(start)
		}
		if out, took := wait(); out.Desired != have || took != protocol.MaxWait {
			t.Errorf("without a change: %s after %s", out.Desired, took)
		}
		go func() {
			time.Sleep(3 * time.Second)
			c.Apply(testSnapshot([]string{"shared"}, "10.0.0.1:80", "")) // the same again wakes nobody
			time.Sleep(2 * time.Second)
			c.Apply(testSnapshot([]string{"shared"}, "10.0.0.2:80", ""))
		}()
		if out, took := wait(); out.Desired == have || took != 5*time.Second {
			t.Errorf("with a change: %s after %s", out.Desired, took)
		} else {
			have = out.Desired
		}
		go func() {
			time.Sleep(time.Second)
			c.Close()
		}()
		if _, took := wait(); took != time.Second {
			t.Errorf("closing took %s to answer", took)
		}
	})
}

func TestStates(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	c := New(Config{Now: func() time.Time { return now }})
	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.1:80", ""))
	d := mustSync(t, c, report("edge-1")).Desired
	drift := []gateway.FileDrift{{Path: "servers/x.conf", Change: "modified"}}
	for _, row := range []struct {
		name   string
		change func(*gateway.NodeReport)
		want   gateway.NodeState
	}{
		{"new", func(*gateway.NodeReport) {}, gateway.NodeRolling},
		{"nginx stopped", func(r *gateway.NodeReport) { r.OnDisk, r.Reason = d, gateway.ReasonNotRunning }, gateway.NodeFailed},
		{"on disk only", func(r *gateway.NodeReport) { r.OnDisk = d }, gateway.NodeRolling},
		{"done", func(r *gateway.NodeReport) { r.OnDisk, r.Running = d, d }, gateway.NodeInSync},
		{"edited", func(r *gateway.NodeReport) { r.OnDisk, r.Running, r.Drift = d, d, drift }, gateway.NodeDrifted},
		{"would not start", func(r *gateway.NodeReport) { r.OnDisk, r.Running, r.CheckError = d, d, "no" }, gateway.NodeDrifted},
		{"refused", func(r *gateway.NodeReport) { r.Drift, r.Failed = drift, &gateway.ApplyFailure{Digest: d} }, gateway.NodeFailed},
		{"refused before", func(r *gateway.NodeReport) { r.Failed = &gateway.ApplyFailure{Digest: "old"} }, gateway.NodeRolling},
	} {
		r := report("edge-1")
		row.change(&r)
		mustSync(t, c, r)
		if n, err := c.Node("shared", "edge-1"); err != nil || n.State != row.want || n.Desired != d || !n.DesiredSince.Equal(now) {
			t.Errorf("%s: %v %+v", row.name, err, n)
		}
	}
	now = now.Add(silentAfter + time.Second)
	if n, err := c.Node("shared", "edge-1"); err != nil || n.State != gateway.NodeSilent {
		t.Errorf("after %s: %v %s", silentAfter, err, n.State)
	}
	n, _ := c.Node("shared", "edge-1")
	for _, row := range []struct {
		notice string
		want   bool
	}{{`{}`, false}, {`{"shared":{"edge-1":{"silent":true}}}`, false}, {`{"shared":{"edge-1":{}}}`, true}} {
		c.takeNotices("own", map[string][]byte{"own": []byte(`{"shared":{"edge-1":{}}}`), "other": []byte(row.notice)})
		if got := c.Elsewhere(&n); got != row.want {
			t.Errorf("another control plane says %s: elsewhere %v, want %v", row.notice, got, row.want)
		}
	}
	if err := c.Forget("shared", "edge-1"); err != nil {
		t.Error(err)
	}
	if list, err := c.Nodes("shared"); err != nil || len(list) != 0 {
		t.Errorf("after Forget: %v %v", err, list)
	}
}

func TestProblems(t *testing.T) {
	var got [][]gateway.Problem
	c := New(Config{Report: func(p []gateway.Problem) { got = append(got, p) }})
	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.1:80", "gzip on;"))
	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.2:80", "gzip on;"))
	if len(got) != 1 || len(got[0]) != 1 || got[0][0].Code != "nginx_directive_not_allowed" {
		t.Fatalf("a problem without any node, reported once: %+v", got)
	}
	s := testSnapshot([]string{"shared"}, "10.0.0.2:80", "gzip on;")
	s.NginxDirectives = []string{"gzip"}
	c.Apply(s)
	r := report("edge-1")
	digest := mustSync(t, c, r).Desired
	tree, err := c.DesiredTree("shared", "edge-1")
	if err != nil {
		t.Fatal(err)
	}
	line := 1 + strings.Count(strings.SplitN(tree.File("servers/acme.shop.test.conf").Data, "gzip on;", 2)[0], "\n")
	r.Failed = &gateway.ApplyFailure{Digest: digest, Step: "check", Message: "no", File: "servers/acme.shop.test.conf", Line: line}
	mustSync(t, c, r)
	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.3:80", "")) // a late report is still put on its owner
	mustSync(t, c, r)
	p := c.Problems()
	if len(p) != 1 || p[0].Object.String() != "Override acme/o" || p[0].Field != "spec.nginx" || p[0].Code != "nginx_check_failed" || p[0].Source != "node edge-1" {
		t.Errorf("got %+v", p)
	}
	r.Failed.File = "/etc/nginx/nginx.conf"
	mustSync(t, c, r)
	if p := c.Problems(); len(p) != 1 || p[0].Object.String() != "Fleet shared" {
		t.Errorf("a file that is not ours: %+v", p)
	}
	r.Failed = nil
	mustSync(t, c, r)
	if last := got[len(got)-1]; len(last) != 0 {
		t.Errorf("after the success: %+v", last)
	}
}

func TestDiff(t *testing.T) {
	c := New(Config{})
	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.1:80", ""))
	mustSync(t, c, report("a"))
	mustSync(t, c, report("b"))
	if _, err := c.Diff("shared", "a", "b"); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("before an upload: %v", err)
	}
	tree, err := c.DesiredTree("shared", "a")
	if err != nil {
		t.Fatal(err)
	}
	put := func(node, nginxConf, extra string) {
		up := "{\"fingerprint\":\"" + node + "\",\"files\":[]}"
		w := httptest.NewRecorder()
		anyNode(c.Handler()).ServeHTTP(w, httptest.NewRequest(http.MethodPut, protocol.PathTree+"?fleet=shared&node="+node, strings.NewReader(up)))
		if w.Code != http.StatusNoContent {
			t.Fatal(w.Code)
		}
		nt := &protocol.NodeTree{Files: []protocol.NodeFile{{Path: "/etc/nginx/nginx.conf", Data: []byte(nginxConf)}}}
		for _, f := range tree.Files {
			nt.Files = append(nt.Files, protocol.NodeFile{Path: f.Path, Data: []byte(f.Data + extra)})
		}
		c.mu.Lock()
		c.fleets["shared"].nodes[node].tree = nt
		c.mu.Unlock()
	}
	put("a", "x;\n", "")
	put("b", "y;\n", "# b\n")
	list, err := c.Diff("shared", "a", "b")
	if err != nil || len(list) != len(tree.Files)+1 || list[0].Path != "/etc/nginx/nginx.conf" || !strings.Contains(list[0].Diff, "-x;\n+y;\n") {
		t.Errorf("a and b: %v %+v", err, list)
	}
	if list, err := c.Diff("shared", "a", Desired); err != nil || len(list) != 0 {
		t.Errorf("a is as desired: %v %+v", err, list)
	}
	if list, err := c.Diff("shared", Desired, "b"); err != nil || len(list) != len(tree.Files) || !strings.Contains(list[0].Diff, "+# b") {
		t.Errorf("desired and b: %v %+v", err, list)
	}
}

func TestMetrics(t *testing.T) {
	c := New(Config{})
	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.1:80", ""))
	r := report("edge-1")
	r.Reloads, r.ReloadsFailed = 3, 1
	mustSync(t, c, r)
	want := `# HELP sluice_fleet_nodes Nodes of a fleet by state.
# TYPE sluice_fleet_nodes gauge
sluice_fleet_nodes{fleet="shared",state="drifted"} 0
sluice_fleet_nodes{fleet="shared",state="failed"} 0
sluice_fleet_nodes{fleet="shared",state="in_sync"} 0
sluice_fleet_nodes{fleet="shared",state="rolling"} 1
sluice_fleet_nodes{fleet="shared",state="silent"} 0
# HELP sluice_nginx_reloads_total Reloads of a node's nginx since its agent's start.
# TYPE sluice_nginx_reloads_total counter
sluice_nginx_reloads_total{node="edge-1",result="failed"} 1
sluice_nginx_reloads_total{node="edge-1",result="ok"} 3
`
	if got := metricsOf(t, c); got != want {
		t.Errorf("got %s", got)
	}
}

func metricsOf(t *testing.T, c *Controller) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&got, f); err != nil {
			t.Fatal(err)
		}
	}
	return got.String()
}
