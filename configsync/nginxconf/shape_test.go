package nginxconf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// shaped is a shop whose requests go to one of two upstreams.
func shaped(to string, endpoints int) *gateway.Snapshot {
	upstream := func(name string, n int) *gateway.EffectiveUpstream {
		u := &gateway.EffectiveUpstream{Key: gateway.UpstreamKey{Tenant: "acme", Name: name}}
		for i := range n {
			u.Endpoints = append(u.Endpoints, gateway.Endpoint{Address: fmt.Sprintf("10.0.%d.%d:80", i/250, i%250), Weight: 1, InRotation: true})
		}
		return u
	}
	route := &gateway.EffectiveRoute{Tenant: "acme", Name: "all", Targets: []gateway.Target{{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: to}, Weight: 1}}}
	return &gateway.Snapshot{
		Tenants:   []*gateway.Tenant{{Meta: gateway.Meta{Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"f"}}}},
		Hosts:     []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}}},
		Upstreams: []*gateway.EffectiveUpstream{upstream("a", endpoints), upstream("b", 2)},
	}
}

func shapedTree(t *testing.T, to string, endpoints int) *Tree {
	t.Helper()
	tree, problems := Render(shaped(to, endpoints), "f", gateway.NodeFacts{TreePath: "/t/current", Modules: []string{"http_upstream_zone_module"}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return &tree
}

func TestShape(t *testing.T) {
	one := shapedTree(t, "a", 1)
	for _, row := range []struct {
		name string
		tree *Tree
		same bool
	}{
		{"another endpoint", shapedTree(t, "a", 2), true},
		{"so many that the zone grows", shapedTree(t, "a", 300), true},
		{"another upstream", shapedTree(t, "b", 1), false},
		{"no endpoint at all, which the route answers", shapedTree(t, "a", 0), false},
	} {
		if row.tree.Digest == one.Digest {
			t.Fatalf("%s: the tree is the same", row.name)
		}
		if same := row.tree.Shape() == one.Shape(); same != row.same {
			t.Errorf("%s: the same shape %v, want %v", row.name, same, row.same)
		}
	}
}

func TestWithEndpoints(t *testing.T) {
	old, newer := shapedTree(t, "a", 1), shapedTree(t, "b", 3)
	got := old.WithEndpoints(newer)
	if err := got.Verify(); err != nil {
		t.Fatal(err)
	}
	if want := shapedTree(t, "a", 3); got.Digest != want.Digest || got.Shape() != old.Shape() {
		t.Errorf("got %s of shape %s, want %s of shape %s", got.Digest, got.Shape(), want.Digest, old.Shape())
	}
	if !strings.Contains(got.File(DigestFile).Data, got.Digest) || strings.Contains(got.File(DigestFile).Data, old.Digest) {
		t.Errorf("the tree tells another digest: %s", got.File(DigestFile).Data)
	}
	if err := old.Verify(); err != nil {
		t.Errorf("the old tree was changed: %v", err)
	}
	if gone := shapedTree(t, "b", 0); old.WithEndpoints(gone) != old {
		t.Error("an upstream that became another file was taken over")
	}
}
