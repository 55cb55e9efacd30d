package nginxconf

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestEndpointsOutOfTree: on a node that takes sets, no endpoint, verdict or weight changes a
// byte of the tree, and each changes the set.
func TestEndpointsOutOfTree(t *testing.T) {
	facts := gateway.NodeFacts{TreePath: "/var/lib/sluice/tree/current", Modules: append([]string{ModuleLua}, allModules...)}
	key := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	render := func(endpoints ...gateway.Endpoint) (Tree, string) {
		u := &gateway.EffectiveUpstream{Key: key, Protocol: "http", Endpoints: endpoints}
		route := &gateway.EffectiveRoute{Tenant: "acme", Name: "shop", Targets: []gateway.Target{{Upstream: key, Weight: 1}, {Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "none"}, Weight: 1}}}
		tree, _ := Render(&gateway.Snapshot{
			Tenants:   []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
			Hosts:     []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}}},
			Upstreams: []*gateway.EffectiveUpstream{u},
		}, "shared", facts)
		set, ok := Set(u)
		text, err := set.Text()
		if !ok || err != nil {
			t.Fatalf("set: %v %v", ok, err)
		}
		return tree, text
	}
	first, _ := render()
	seen := map[string]bool{}
	for _, endpoints := range [][]gateway.Endpoint{
		nil,
		{{Address: "10.0.0.1:80", Weight: 1, InRotation: true}},
		{{Address: "10.0.0.1:80", Weight: 1}},
		{{Address: "10.0.0.1:80", Weight: 5, InRotation: true}},
		{{Address: "10.0.0.1:80", Weight: 5, Priority: 2, InRotation: true}},
		{{Address: "[::1]:80", Weight: 5, InRotation: true}},
		{{Address: "10.0.0.1:80", Weight: 1, InRotation: true}, {Address: "10.0.0.2:80", Weight: 1, InRotation: true}},
	} {
		tree, text := render(endpoints...)
		if tree.Digest != first.Digest {
			t.Errorf("%+v changes the tree", endpoints)
		}
		if seen[text] {
			t.Errorf("%+v does not change the set", endpoints)
		}
		seen[text] = true
	}
}

// TestSetIsAlwaysValid: whatever an upstream holds, its set can be pushed.
func TestSetIsAlwaysValid(t *testing.T) {
	u := &gateway.EffectiveUpstream{Key: gateway.UpstreamKey{Tenant: "a\nset b", Name: strings.Repeat("x;}", 200)}, Protocol: "http", Endpoints: []gateway.Endpoint{
		{Address: "10.0.0.1:80"}, {Address: "10.0.0.2:80", Weight: 1 << 40, Priority: 1 << 40, InRotation: true}, {Address: "10.0.0.3:80", Weight: -5, Priority: -5},
		{Address: "[::ffff:10.0.0.4]:80", Weight: 1}, {Address: "[fe80::1%a b]:80"}, {Address: "unix:/x"}, {Address: "10.0.0.5:0"}, {Address: "x\n10.0.0.6:80"}, {},
	}}
	set, ok := Set(u)
	text, err := set.Text()
	want := "set " + UpstreamName(u.Key) + "\n10.0.0.1:80 1 0 down\n10.0.0.2:80 999999999 999999999\n10.0.0.3:80 1 0 down\n10.0.0.4:80 1 0 down\n"
	if !ok || err != nil || text != want {
		t.Errorf("got %v %v %q, want %q", ok, err, text, want)
	}
	for _, u := range []*gateway.EffectiveUpstream{
		{Protocol: "http", ProxyProtocol: "v1"}, {Protocol: "http", Limits: gateway.UpstreamLimits{MaxConnections: 1}}, {Protocol: "http", Balance: gateway.Balance{Policy: "hash"}},
	} {
		if _, ok := Set(u); ok {
			t.Errorf("%+v is pushed, which our Lua does not do", u)
		}
	}
}
