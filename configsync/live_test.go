package configsync

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestLiveSince: whatever happens to endpoints, an agent that had any version gets by what
// changed since to the same sets as one that gets everything.
func TestLiveSince(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 8))
	l := &liveSets{sets: map[gateway.UpstreamKey]*liveSet{}, removed: map[string]uint64{}, past: map[string]uint64{}, changed: make(chan struct{})}
	type agentState struct {
		version string
		sets    map[string]string
	}
	agents := make([]agentState, 10)
	partial, steps := 0, 2*keepLive
	ups := map[int]*gateway.EffectiveUpstream{}
	for step := range steps {
		mutate(rng, ups)
		s := &gateway.Snapshot{Tenants: []*gateway.Tenant{
			{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}},
			{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "other"}},
		}}
		for i := range 8 {
			if ups[i] != nil {
				s.Upstreams = append(s.Upstreams, ups[i])
			}
		}
		l.update(s, "shared")
		full := apply(t, nil, l, "")
		a := &agents[rng.IntN(len(agents))]
		known := l.past[a.version] != 0
		if known {
			partial++
		}
		got := apply(t, a.sets, l, a.version)
		if !maps.Equal(got, full) {
			t.Fatalf("step %d, from version %q: got %v, want %v", step, a.version, got, full)
		}
		a.version, a.sets = l.version, got
	}
	if partial < steps/2 || len(l.past) > keepLive || len(l.removed) > 8 {
		t.Errorf("%d of %d were differences; %d versions and %d removed names are kept", partial, steps, len(l.past), len(l.removed))
	}
}

// mutate changes an upstream, adds one or removes one; half of the changes are none.
func mutate(rng *rand.Rand, ups map[int]*gateway.EffectiveUpstream) {
	i := rng.IntN(8)
	if rng.IntN(4) == 0 {
		delete(ups, i)
		return
	}
	u := &gateway.EffectiveUpstream{Key: gateway.UpstreamKey{Tenant: "acme", Name: fmt.Sprint("u", i)}, Protocol: "http"}
	if i == 7 {
		u.Key.Tenant = "other" // which the fleet does not mirror
	}
	for j := range rng.IntN(3) {
		u.Endpoints = append(u.Endpoints, gateway.Endpoint{Address: fmt.Sprintf("10.0.0.%d:80", j+1), Weight: 1, InRotation: rng.IntN(2) == 0})
	}
	ups[i] = u
}

// apply is what an agent does.
func apply(t *testing.T, has map[string]string, l *liveSets, version string) map[string]string {
	t.Helper()
	change := l.since(version)
	if change.Since != "" && change.Since != version || change.Version != l.version {
		t.Fatalf("asked since %q and got %q to %q", version, change.Since, change.Version)
	}
	next := map[string]string{}
	if change.Since != "" {
		next = maps.Clone(has)
	}
	for _, name := range change.Removed {
		delete(next, name)
	}
	for _, s := range change.Sets {
		text, err := s.Text()
		if err != nil {
			t.Fatal(err)
		}
		next[s.Upstream] = text
	}
	return next
}

// TestLiveVersionIsOfContent: another replica of the control plane, or the same one after a
// restart, has the same version for the same endpoints.
func TestLiveVersionIsOfContent(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	ups := map[int]*gateway.EffectiveUpstream{}
	tenants := []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}}
	old := &liveSets{sets: map[gateway.UpstreamKey]*liveSet{}, removed: map[string]uint64{}, past: map[string]uint64{}, changed: make(chan struct{})}
	for range 50 {
		mutate(rng, ups)
		s := &gateway.Snapshot{Tenants: tenants}
		for i := range 8 {
			if ups[i] != nil {
				s.Upstreams = append(s.Upstreams, ups[i])
			}
		}
		fresh := &liveSets{sets: map[gateway.UpstreamKey]*liveSet{}, removed: map[string]uint64{}, past: map[string]uint64{}, changed: make(chan struct{})}
		old.update(s, "shared")
		fresh.update(s, "shared")
		if old.version != fresh.version || fresh.version == "" {
			t.Fatalf("versions %q and %q", old.version, fresh.version)
		}
	}
}

// TestWantsSets: a node that still has sets goes on getting them while it is made static.
func TestWantsSets(t *testing.T) {
	lua := gateway.NodeFacts{Modules: []string{"http_lua_module"}}
	for _, c := range []struct {
		report gateway.NodeReport
		want   bool
	}{
		{gateway.NodeReport{}, false},
		{gateway.NodeReport{Facts: lua}, true},
		{gateway.NodeReport{Live: "v"}, true},
		{gateway.NodeReport{Facts: gateway.NodeFacts{Modules: []string{"http_v2_module"}}}, false},
	} {
		if got := wantsSets(c.report); got != c.want {
			t.Errorf("%+v: %v", c.report, got)
		}
	}
}
