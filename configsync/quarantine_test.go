package configsync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// manyTenants has n tenants t0000, t0001, ... with a host and an upstream each; texts are
// override texts by tenant.
func manyTenants(n int, texts map[int]string) *gateway.Snapshot {
	s := &gateway.Snapshot{NginxDirectives: []string{"add_header"}, Fleets: []*gateway.Fleet{{Meta: gateway.Meta{Kind: gateway.KindFleet, Name: "shared"}}}}
	for i := range n {
		name := fmt.Sprintf("t%04d", i)
		key := gateway.UpstreamKey{Tenant: name, Name: "api"}
		route := &gateway.EffectiveRoute{Tenant: name, Name: "all", Targets: []gateway.Target{{Upstream: key, Weight: 1}}}
		if text := texts[i]; text != "" {
			route.Nginx = []gateway.NginxText{{Override: gateway.Ref{Kind: gateway.KindOverride, Tenant: name, Name: "o"}, Text: text}}
		}
		s.Tenants = append(s.Tenants, &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: name}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}})
		s.Hosts = append(s.Hosts, &gateway.Host{Name: name + ".test", Tenant: name, Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}})
		s.Upstreams = append(s.Upstreams, &gateway.EffectiveUpstream{Key: key, Endpoints: []gateway.Endpoint{{Address: "10.0.0.1:80", Weight: 1, InRotation: true}}})
	}
	return s
}

func treeOf(t *testing.T, s *gateway.Snapshot) *nginxconf.Tree {
	t.Helper()
	tree, problems := nginxconf.Render(s, "shared", gateway.NodeFacts{TreePath: "/t/current"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return &tree
}

// fakeNginx complains about the first line that holds BAD; about two files that both hold
// TWICE, naming the second; and about a server whose upstream is missing. It may mislead.
type fakeNginx struct {
	mislead func(*nginxconf.Complaint)
	checks  int
	all     bool // it complains about everything
}

func (n *fakeNginx) check(_ context.Context, tree *nginxconf.Tree) (*nginxconf.Complaint, error) {
	n.checks++
	c := n.complaint(tree)
	if c != nil && n.mislead != nil {
		n.mislead(c)
	}
	return c, nil
}

func (n *fakeNginx) complaint(tree *nginxconf.Tree) *nginxconf.Complaint {
	if n.all {
		return &nginxconf.Complaint{Message: "no", File: "base/common.conf", Line: 1}
	}
	twice := ""
	for _, f := range tree.Files {
		for i, line := range strings.Split(f.Data, "\n") {
			if strings.Contains(line, "BAD") {
				return &nginxconf.Complaint{Message: "bad", File: f.Path, Line: i + 1}
			}
			if strings.Contains(line, "TWICE") {
				if twice != "" {
					return &nginxconf.Complaint{Message: "duplicate", File: f.Path, Line: i + 1}
				}
				twice = f.Path
			}
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "proxy_pass http://"); ok && tree.File("upstreams/"+strings.TrimSuffix(name, ";")+".conf") == nil {
				return &nginxconf.Complaint{Message: "host not found in upstream", File: f.Path, Line: i + 1}
			}
		}
	}
	return nil
}

func server(i int) string { return fmt.Sprintf("servers/t%04d.t%04d.test.conf", i, i) }

func TestQuarantine(t *testing.T) {
	nowhere := func(c *nginxconf.Complaint) { c.File, c.Line = "", 0 }
	elsewhere := func(c *nginxconf.Complaint) { c.File, c.Line = server(7), 3 }
	base := func(c *nginxconf.Complaint) { c.File, c.Line = "base/common.conf", 3 }
	bad := "add_header X-A BAD;"
	for _, row := range []struct {
		name    string
		texts   map[int]string
		mislead func(*nginxconf.Complaint)
		before  bool // there was a good tree
		want    []int
		checks  int // at most
	}{
		{"nothing wrong", nil, nil, true, nil, 1},
		{"one, named, with a version before", map[int]string{500: bad}, nil, true, []int{500}, 2},
		{"one, named, new", map[int]string{500: bad}, nil, false, []int{500}, 2},
		{"three at once", map[int]string{3: bad, 500: bad, 999: bad}, nil, true, []int{3, 500, 999}, 7},
		{"twenty at once", twenty(bad), nil, true, slices.Sorted(maps.Keys(twenty(bad))), 60},
		{"one, no place", map[int]string{500: bad}, nowhere, true, []int{500}, 6},
		{"one, no place, new", map[int]string{500: bad}, nowhere, false, []int{500}, 32},
		{"one, an innocent one is named", map[int]string{500: bad}, elsewhere, false, []int{500}, 34},
		{"one, our own file is named", map[int]string{500: bad}, base, false, []int{500}, 32},
		{"three, no place, new", map[int]string{3: bad, 500: bad, 999: bad}, nowhere, false, []int{3, 500, 999}, 80},
		{"two that fail together", map[int]string{10: "add_header X-A TWICE;", 20: "add_header X-A TWICE;"}, nil, true, []int{20}, 2},
		{"two that fail together, no place", map[int]string{10: "add_header X-A TWICE;", 20: "add_header X-A TWICE;"}, nowhere, false, []int{20}, 32},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := &fakeNginx{mislead: row.mislead}
			good := fragments{}
			if row.before {
				good.add(treeOf(t, manyTenants(1000, nil)), nil)
			}
			tree := treeOf(t, manyTenants(1000, row.texts))
			q := &quarantine{tree: tree, good: good.newest, check: n.check}
			if err := q.settle(context.Background()); err != nil {
				t.Fatal(err)
			}
			want := map[string]form{}
			for _, i := range row.want {
				want[server(i)] = neutral
				if row.before {
					want[server(i)] = lastGood
				}
			}
			if !maps.Equal(q.forms, want) {
				t.Errorf("left out %v, want %v", q.forms, want)
			}
			for path := range want {
				if q.against[path] == nil {
					t.Errorf("%s: nobody knows why", path)
				}
			}
			if n.checks > row.checks {
				t.Errorf("%d checks, want at most %d", n.checks, row.checks)
			}
			out := q.result()
			if c := n.complaint(&out); c != nil || out.Verify() != nil {
				t.Errorf("what goes out: %v, %v", c, out.Verify())
			}
			t.Logf("figure quarantine_checks %d checks goal %d", n.checks, row.checks)
		})
	}
}

func twenty(text string) map[int]string {
	texts := map[int]string{}
	for i := range 20 {
		texts[i*50+7] = text
	}
	return texts
}

// TestQuarantineUpstream: without an upstream the servers that refer to it can't stay, and
// their hosts answer 503.
func TestQuarantineUpstream(t *testing.T) {
	n := &fakeNginx{}
	tree := treeOf(t, manyTenants(50, nil))
	bad := *tree.File("upstreams/t0020.api.conf")
	bad.Data += "BAD\n"
	edited := tree.Edit(map[string]*nginxconf.File{bad.Path: &bad})
	q := &quarantine{tree: &edited, good: fragments{}.newest, check: n.check}
	if err := q.settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	if want := map[string]form{bad.Path: neutral, server(20): neutral}; !maps.Equal(q.forms, want) {
		t.Errorf("left out %v, want %v", q.forms, want)
	}
	out := q.result()
	if out.File(bad.Path) != nil {
		t.Error("the upstream is still there")
	}
	want := "# Left out by the check of this fleet: the hosts answer 503.\nserver {\n    listen 80;\n    server_name t0020.test;\n    return 503;\n}\n"
	if got := out.File(server(20)).Data; got != want {
		t.Errorf("the server is %s", got)
	}
}

func TestQuarantineGivesUp(t *testing.T) {
	n := &fakeNginx{all: true}
	q := &quarantine{tree: treeOf(t, manyTenants(1000, nil)), good: fragments{}.newest, check: n.check}
	if err := q.settle(context.Background()); err == nil || !strings.Contains(err.Error(), "no tenant's file is at fault") {
		t.Errorf("got %v", err)
	}
	if n.checks > 4 || len(q.forms) > 0 {
		t.Errorf("%d checks, forms %v", n.checks, q.forms)
	}
}

// TestQuarantineKeepsFloor: what a node refused does not come back when the checking nginx
// has nothing against it, or misleads about something else.
func TestQuarantineKeepsFloor(t *testing.T) {
	for _, mislead := range []func(*nginxconf.Complaint){nil, func(c *nginxconf.Complaint) { c.File = "" }} {
		n := &fakeNginx{mislead: mislead}
		q := &quarantine{tree: treeOf(t, manyTenants(100, map[int]string{50: "add_header X-A BAD;"})), good: fragments{}.newest, check: n.check,
			forms: map[string]form{server(30): neutral}, floor: map[string]bool{server(30): true}}
		if err := q.settle(context.Background()); err != nil {
			t.Fatal(err)
		}
		if want := map[string]form{server(30): neutral, server(50): neutral}; !maps.Equal(q.forms, want) {
			t.Errorf("left out %v, want %v", q.forms, want)
		}
	}
}
