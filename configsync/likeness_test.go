package configsync

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestLikeNodesShareChecks: nodes that differ in folders and addresses alone share a check, a
// change of an endpoint's address goes out without one, and whatever else changes is checked.
func TestLikeNodesShareChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeChecker{took: time.Second}
		c := New(Config{Check: f})
		defer c.Close()
		s := manyTenants(3, nil)
		c.Apply(s)
		sync := func(i int) string {
			r := report(fmt.Sprintf("edge-%d", i))
			r.Facts = gateway.NodeFacts{NginxVersion: "1.22.1", Modules: []string{"http_upstream_zone_module"}, TreePath: fmt.Sprintf("/nodes/%d/tree/current", i),
				Listen: []string{fmt.Sprintf("127.0.0.1:%d", 8000+i)}, ListenTLS: []string{fmt.Sprintf("127.0.0.1:%d", 9000+i)},
				AccessLog: fmt.Sprintf("/nodes/%d/access.log", i), Outcomes: fmt.Sprintf("unix:/nodes/%d/outcomes.sock", i)}
			return mustSync(t, c, r).Desired
		}
		const nodes = 20
		all := func() map[string]bool {
			desired := map[string]bool{}
			for i := range nodes {
				desired[sync(i)] = true
			}
			return desired
		}
		settle := func() { time.Sleep(time.Minute); synctest.Wait() }
		settle()
		done := f.count() // that of no node's facts
		expect := func(what string, more int) {
			t.Helper()
			if got := f.count() - done; got != more {
				t.Errorf("%s: %d checks, want %d", what, got, more)
			}
			if got := all(); len(got) != nodes || got[""] {
				t.Errorf("%s: %d bundles for %d nodes: %v", what, len(got), nodes, got)
			}
			done = f.count()
		}
		all()
		settle()
		expect("the first bundle", 1)

		next := func(change func(*gateway.EffectiveUpstream)) (unchanged int) {
			s = manyTenants(3, nil)
			change(s.Upstreams[1])
			before := all()
			c.Apply(s)
			for digest := range all() {
				if before[digest] {
					unchanged++
				}
			}
			return unchanged
		}
		if left := next(func(u *gateway.EffectiveUpstream) { u.Endpoints[0].Address = "10.0.0.2:8080" }); left > 0 {
			t.Errorf("%d nodes wait for another address", left)
		}
		expect("another address", 0)
		if left := next(func(u *gateway.EffectiveUpstream) {
			u.Endpoints = append(u.Endpoints, gateway.Endpoint{Address: "10.0.0.3:8080", Weight: 1, InRotation: true})
		}); left > 0 {
			t.Errorf("%d nodes wait for one more address", left)
		}
		expect("one more address", 0)
		if left := next(func(u *gateway.EffectiveUpstream) { u.Endpoints[0].Address = "[2001:db8::1]:8080" }); left != nodes {
			t.Errorf("%d of %d nodes wait for the check", left, nodes)
		}
		settle()
		expect("an address of another family", 1)
		next(func(u *gateway.EffectiveUpstream) { u.Endpoints[0].Weight = 7 })
		settle()
		expect("a weight", 1)

		c.Apply(manyTenants(3, map[int]string{1: "add_header X-A BAD;"}))
		settle()
		expect("a refusal, and what goes out instead is like the first bundle", 1)
		if got := data(t, c, "edge-7", server(1)); strings.Contains(got, "BAD") || !strings.Contains(got, "127.0.0.1:8007") || strings.Contains(got, "127.0.0.1:8000") {
			t.Errorf("what node 7 gets: %s", got)
		}
	})
}

// TestLikenessIsTight: a text of a tenant that looks like a value of a node, or like what stands
// for one, is another text.
func TestLikenessIsTight(t *testing.T) {
	facts := gateway.NodeFacts{TreePath: "/a/current", Listen: []string{"127.0.0.1:80"}}
	like := newLikeness(facts)
	keys := map[string]string{}
	for _, text := range []string{"", "add_header X /a;", "add_header X '{tree}';", "add_header X /b;", "add_header X 127.0.0.1:80;", "add_header X '{listen-0}';"} {
		tree := treeOf(t, manyTenants(2, map[int]string{1: text}))
		key := like.of(tree)
		if other, taken := keys[key]; taken {
			t.Errorf("%q and %q are alike", text, other)
		}
		keys[key] = text
		if newLikeness(facts).of(tree) != key {
			t.Errorf("the key of %q depends on the trees before", text)
		}
	}
}
