package nginxconf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// shopSnapshot is one tenant with two upstreams of n endpoints and an override.
func shopSnapshot(n int) *gateway.Snapshot {
	endpoints := make([]gateway.Endpoint, n)
	for i := range endpoints {
		endpoints[i] = gateway.Endpoint{Address: fmt.Sprintf("10.0.%d.%d:8080", i/200, i%200+1), Weight: 1, InRotation: true}
	}
	api := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	override := gateway.Ref{Kind: gateway.KindOverride, Tenant: "acme", Name: "slow"}
	route := &gateway.EffectiveRoute{Tenant: "acme", Name: "shop", Targets: []gateway.Target{{Upstream: api, Weight: 1}}, MaxBodySize: 1 << 20,
		Nginx: []gateway.NginxText{{Override: override, Text: "proxy_read_timeout banana;"}}}
	return &gateway.Snapshot{
		Tenants:         []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
		Hosts:           []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}}},
		Upstreams:       []*gateway.EffectiveUpstream{{Key: api, Protocol: "http", Endpoints: endpoints}},
		NginxDirectives: []string{"proxy_read_timeout"},
	}
}

func TestOneEndpointIsOneLine(t *testing.T) {
	facts := gateway.NodeFacts{TreePath: "/t/current", Modules: allModules}
	s := shopSnapshot(20)
	before, _ := Render(s, "shared", facts)
	s.Upstreams[0].Endpoints[7].InRotation = false
	after, _ := Render(s, "shared", facts)
	if before.Digest == after.Digest {
		t.Error("the digest did not move")
	}
	changed := 0
	for i, f := range after.Files {
		if f.Path == DigestFile {
			continue
		}
		old := strings.Split(before.Files[i].Data, "\n")
		for j, line := range strings.Split(f.Data, "\n") {
			if line != old[j] {
				changed++
			}
		}
	}
	if changed != 1 {
		t.Errorf("%d lines changed, expected 1", changed)
	}
}

func TestOwner(t *testing.T) {
	tree, _ := Render(shopSnapshot(1), "shared", gateway.NodeFacts{TreePath: "/t/current"})
	file := "servers/acme.shop.test.conf"
	for i, line := range strings.Split(tree.File(file).Data, "\n") {
		ref, ok := tree.Owner(file, i+1)
		switch {
		case strings.Contains(line, "banana"):
			if ref.String() != "Override acme/slow" {
				t.Errorf("line %d %q belongs to %s", i+1, line, ref)
			}
		case strings.Contains(line, "proxy_pass"):
			if ref.String() != "Route acme/shop" {
				t.Errorf("line %d %q belongs to %s", i+1, line, ref)
			}
		case line != "" && !ok:
			t.Errorf("line %d %q belongs to nobody", i+1, line)
		}
	}
	if _, ok := tree.Owner("servers/nothing.conf", 1); ok {
		t.Error("a file that does not exist has an owner")
	}
}

func TestVerify(t *testing.T) {
	good := func() Tree {
		tree, _ := Render(shopSnapshot(2), "shared", gateway.NodeFacts{TreePath: "/t/current"})
		return tree
	}
	for name, damage := range map[string]func(*Tree){
		"a byte":       func(t *Tree) { t.Files[0].Data += " " },
		"the digest":   func(t *Tree) { t.Digest = strings.Repeat("0", 32) },
		"a file":       func(t *Tree) { t.Files = t.Files[1:] },
		"dots":         func(t *Tree) { t.Files[0].Path = "../x.conf"; t.Digest = t.digest() },
		"an absolute":  func(t *Tree) { t.Files[0].Path = "/etc/x.conf"; t.Digest = t.digest() },
		"a deep path":  func(t *Tree) { t.Files[0].Path = "base/a/b.conf"; t.Digest = t.digest() },
		"a twin":       func(t *Tree) { t.Files[1].Path = t.Files[0].Path; t.Digest = t.digest() },
		"another type": func(t *Tree) { t.Files[0].Path = "base/a.so"; t.Digest = t.digest() },
	} {
		tree := good()
		if err := tree.Verify(); err != nil {
			t.Fatal(err)
		}
		damage(&tree)
		if tree.Verify() == nil {
			t.Errorf("damage to %s is not noticed", name)
		}
	}
}

func TestShares(t *testing.T) {
	for _, weights := range [][]int{{1}, {1, 1, 1}, {95, 5}, {1, 1000000}, {1000, 1, 1, 1}, {7, 11, 13, 17}} {
		targets := make([]gateway.Target, len(weights))
		for i, w := range weights {
			targets[i].Weight = w
		}
		sum := 0
		got := shares(targets)
		for _, s := range got {
			if s < 1 {
				t.Errorf("weights %v give the share %d", weights, s)
			}
			sum += s
		}
		if sum != wholeSplit {
			t.Errorf("weights %v give %v, %d in sum", weights, got, sum)
		}
	}
}

func TestNamesStayDifferent(t *testing.T) {
	names := []string{"a", "A", "a.b", "a_b", "a__b", "a_2eb", "a-b", "a b", "", "é", "a\x00", strings.Repeat("x", 100), strings.Repeat("x", 101), strings.Repeat("x", 102), "z", "_z"}
	seenUpstream, seenVariable := map[string]string{}, map[string]string{}
	for _, tenant := range names {
		for _, name := range names {
			id := fmt.Sprintf("%q/%q", tenant, name)
			u := upstreamName(gateway.UpstreamKey{Tenant: tenant, Name: name})
			v := routeVariable(&gateway.EffectiveRoute{Tenant: tenant, Name: name})
			if other := cmp.Or(seenUpstream[u], seenVariable[v]); other != "" {
				t.Errorf("%s and %s are both %s, %s", id, other, u, v)
			}
			seenUpstream[u], seenVariable[v] = id, id
			if len(u)+len(".conf") > 255 || len(v)-1 > maxVariable {
				t.Errorf("%s is too long: %s, %s", id, u, v)
			}
		}
	}
}

// FuzzRender: whatever names and values hold, the parsed files have exactly the expected
// blocks, and the only words that differ are the arguments where the values belong.
func FuzzRender(f *testing.F) {
	f.Add("acme", "api", "shop.test", "/api", "10.0.0.4:80", `"x; }"`)
	f.Add("evil;} server {", "a\n}", "h;}", "/\"};", "x:80;", "$x\\")
	f.Add("é\x00", strings.Repeat("n", 4096), "*.a", "/%7b%00", "[::1]:1", "'")
	f.Fuzz(func(t *testing.T, tenant, name, host, path, address, value string) {
		key := gateway.UpstreamKey{Tenant: tenant, Name: name}
		ref := gateway.Ref{Kind: gateway.KindOverride, Tenant: tenant, Name: name}
		route := &gateway.EffectiveRoute{Tenant: tenant, Name: name, Targets: []gateway.Target{{Upstream: key, Weight: 1}, {Upstream: key, Weight: 2}},
			Nginx: []gateway.NginxText{{Override: ref, Text: value}, {Override: ref, Text: "add_header X-A " + Quote(value) + ";"}}}
		s := &gateway.Snapshot{
			Tenants:         []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: tenant}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
			Hosts:           []*gateway.Host{{Name: host, Tenant: tenant, Rules: []gateway.Rule{{Path: gateway.PathMatch{Exact: path}, Route: route}}}},
			Upstreams:       []*gateway.EffectiveUpstream{{Key: key, Endpoints: []gateway.Endpoint{{Address: address, InRotation: true}}}},
			NginxDirectives: []string{"add_header"},
		}
		tree, _ := Render(s, "shared", gateway.NodeFacts{TreePath: "/t/current", Listen: []string{value}})
		if err := tree.Verify(); err != nil {
			t.Fatal(err)
		}
		for _, file := range tree.Files {
			checkBlocks(t, file)
		}
	})
}

// checkBlocks compares the names of a file's directives with those that the renderer may
// write in such a file.
func checkBlocks(t *testing.T, f File) {
	t.Helper()
	c, err := Parse(f.Path, f.Data)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string][]string{
		"base":      {"map", "log_format", "server", "server_names_hash_bucket_size"},
		"upstreams": {"upstream"}, "splits": {"split_clients"}, "access": {"geo"}, "servers": {"server"},
		"mirrors": {"split_clients"}, "limits": {"map", "limit_req_zone", "limit_conn_zone"},
	}[strings.SplitN(f.Path, "/", 2)[0]]
	if n := len(c.Directives); n > 1 && !strings.HasPrefix(f.Path, "base/") && !strings.HasPrefix(f.Path, "limits/") {
		t.Fatalf("%s has %d blocks:\n%s", f.Path, n, f.Data)
	}
	c.Walk(func(parents []*Directive, d *Directive) {
		path := ""
		for _, p := range append(parents[:len(parents):len(parents)], d) {
			path += "/" + p.Name()
		}
		switch {
		case len(parents) == 0 && !slices.Contains(allowed, d.Name()):
			t.Fatalf("%s has a %q at the top:\n%s", f.Path, d.Name(), f.Data)
		case d.Block != nil && len(parents) > 0 && path != "/server/location" && path != "/server/location/if":
			t.Fatalf("%s has a block %s:\n%s", f.Path, path, f.Data)
		case path == "/server/location" && len(d.Words) > 3:
			t.Fatalf("%s has a location with %d words:\n%s", f.Path, len(d.Words), f.Data)
		}
	})
}
