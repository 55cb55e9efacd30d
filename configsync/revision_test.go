package configsync

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// TestChangedObjects: two routes have most of their lines in common, and the new one stands
// before the old one in the file.
func TestChangedObjects(t *testing.T) {
	render := func(paths ...string) *nginxconf.Tree {
		s := testSnapshot([]string{"shared"}, "10.0.0.1:80", "")
		key := s.Upstreams[0].Key
		s.Hosts[0].Rules = nil
		for _, path := range paths {
			route := &gateway.EffectiveRoute{Tenant: "acme", Name: "of" + path[1:], Targets: []gateway.Target{{Upstream: key, Weight: 1}}}
			s.Hosts[0].Rules = append(s.Hosts[0].Rules, gateway.Rule{Path: gateway.PathMatch{Prefix: path}, Route: route})
		}
		tree, problems := nginxconf.Render(s, "shared", gateway.NodeFacts{})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return &tree
	}
	one, two, none := render("/b"), render("/a", "/b"), render()
	stored := &nginxconf.Tree{Digest: one.Digest}
	for _, f := range one.Files { // as it comes back from the store, which does not know the owners
		stored.Files = append(stored.Files, nginxconf.File{Path: f.Path, Data: f.Data})
	}
	for _, row := range []struct {
		old, newer *nginxconf.Tree
		want       string
	}{
		{one, two, "[Route acme/ofa]"},
		{stored, two, "[Route acme/ofa]"},
		{two, one, "[Route acme/ofa]"},
		{none, two, "[Route acme/ofa Route acme/ofb Tenant acme]"}, // its default location goes
		{one, one, "[]"},
	} {
		if got := fmt.Sprint(changedObjects(row.old, row.newer)); got != row.want {
			t.Errorf("got %s, want %s", got, row.want)
		}
	}
}
