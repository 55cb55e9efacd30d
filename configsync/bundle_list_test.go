package configsync

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/sluice-gateway/sluice/gateway"
)

// During a rollout the bundles of both revisions are listed and can be read, also after the
// control plane was started anew; what was taken back is of two revisions.
func TestBundles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		p := startPlane(s, "p")
		synctest.Wait()
		p.Apply(wavedSnapshot("10.0.0.1:80", ""))
		settle(t, 3, map[string]plane{"a": p, "b": p})
		p.Apply(wavedSnapshot("10.0.0.1:80", "proxy_buffering off;"))
		settle(t, 5, map[string]plane{"a": p, "b": p})
		expect := func(what string, want map[string][]uint64) {
			t.Helper()
			list, err := p.Bundles("shared")
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]uint64{}
			for _, b := range list {
				if tree, err := p.Revision("shared", b.Digest); err != nil || tree.Digest != b.Digest {
					t.Errorf("%s: bundle %+v can't be read: %v", what, b, err)
				}
				if b.Since.IsZero() != (len(b.Nodes) == 0) {
					t.Errorf("%s: %+v", what, b)
				}
				for _, n := range b.Nodes {
					got[n] = b.Revisions
				}
			}
			for node, revisions := range want {
				if !slices.Equal(got[node], revisions) {
					t.Errorf("%s: node %s has revisions %v, want %v", what, node, got[node], revisions)
				}
			}
		}
		expect("the first wave", map[string][]uint64{"a": {2}, "b": {1}})

		p.stop()
		p = startPlane(s, "p")
		synctest.Wait()
		p.Apply(wavedSnapshot("10.0.0.1:80", "proxy_buffering off;"))
		settle(t, 5, map[string]plane{"a": p, "b": p})
		expect("after a restart", map[string][]uint64{"a": {2}, "b": {1}})
		if _, err := p.Act(t.Context(), "shared", gateway.RolloutAbort, "alice"); err != nil {
			t.Fatal(err)
		}
		settle(t, 3, map[string]plane{"a": p, "b": p})
		expect("aborted", map[string][]uint64{"a": {3, 1}, "b": {3, 1}})
		if _, err := p.Act(t.Context(), "shared", gateway.RolloutResume, "alice"); err != nil {
			t.Fatal(err)
		}
		settle(t, 3, map[string]plane{"a": p, "b": p})
		expect("again", map[string][]uint64{"a": {4, 2}, "b": {3, 1}})
		if _, err := p.Bundles("nix"); err == nil {
			t.Error("a fleet that does not exist has bundles")
		}
		p.stop()
	})
}
