package gateway_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// world makes random inputs: some tenants, upstreams with endpoints of several sources, routes
// that partly clash, and verdicts.
func world(r *rand.Rand) gateway.Inputs {
	var in gateway.Inputs
	rev := int64(0)
	meta := func(kind gateway.Kind, tenant, name string) gateway.Meta {
		rev++
		return gateway.Meta{Kind: kind, Tenant: tenant, Name: name, CreatedRevision: rev}
	}
	for t := range 3 {
		tenant := fmt.Sprint("t", t)
		hosts := []string{fmt.Sprintf("h%d.example", r.IntN(4)), fmt.Sprintf("*.w%d.example", r.IntN(3))}
		in.Tenants = append(in.Tenants, &gateway.Tenant{Meta: meta(gateway.KindTenant, "", tenant), Spec: gateway.TenantSpec{Hosts: hosts}})
		for n := range 4 {
			u := &gateway.Upstream{Meta: meta(gateway.KindUpstream, tenant, fmt.Sprint("u", n))}
			u.Spec.Discover = []gateway.Discover{{Etcd: &gateway.EtcdDiscover{Prefix: "/u/"}}, {Kubernetes: &gateway.KubernetesDiscover{Namespace: "n", Service: "s"}}}
			in.Upstreams = append(in.Upstreams, u)
			in.Sets = append(in.Sets, someSets(r, u)...)
			in.Verdicts = append(in.Verdicts, someVerdicts(r, u.Key())...)
			in.Routes = append(in.Routes, &gateway.Route{Meta: meta(gateway.KindRoute, tenant, fmt.Sprint("r", n)), Spec: gateway.RouteSpec{
				Hosts: []string{hosts[r.IntN(2)], "foreign.example"},
				Match: []gateway.Match{{Path: gateway.PathMatch{Prefix: fmt.Sprintf("/p%d", r.IntN(3))}}},
				To:    []gateway.RouteTarget{{Upstream: fmt.Sprint("u", r.IntN(6))}}}})
		}
	}
	return in
}

func someSets(r *rand.Rand, u *gateway.Upstream) []gateway.EndpointSet {
	keys := []gateway.SetKey{{Upstream: u.Key(), Source: gateway.SourceManual}, u.Spec.Discover[0].SetKey(u.Key()), u.Spec.Discover[1].SetKey(u.Key())}
	var sets []gateway.EndpointSet
	for _, k := range keys {
		s := gateway.EndpointSet{SetKey: k}
		for range r.IntN(4) {
			s.Endpoints = append(s.Endpoints, gateway.SourceEndpoint{Address: fmt.Sprintf("10.0.0.%d:80", 1+r.IntN(6)), Weight: r.IntN(4), Terminating: r.IntN(8) == 0})
		}
		if r.IntN(6) == 0 {
			s.Problems = []string{"a key can't be read"}
		}
		sets = append(sets, s)
	}
	return sets
}

func someVerdicts(r *rand.Rand, k gateway.UpstreamKey) []gateway.Verdict {
	var out []gateway.Verdict
	for i := range 6 {
		states := []gateway.HealthState{gateway.StateHealthy, gateway.StateEjected, gateway.StateDown, gateway.StateProbation}
		if r.IntN(3) == 0 {
			out = append(out, gateway.Verdict{EndpointKey: gateway.EndpointKey{Upstream: k, Address: fmt.Sprintf("10.0.0.%d:80", 1+i)}, State: states[r.IntN(4)]})
		}
	}
	return out
}

func text(t *testing.T, s *gateway.Snapshot) string {
	t.Helper()
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The order in which inputs arrive decides nothing.
func TestShuffledInputsGiveTheSameSnapshot(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		in := world(r)
		want := text(t, gateway.Build(in, 7))
		for range 3 {
			shuffle(r, in.Tenants)
			shuffle(r, in.Upstreams)
			shuffle(r, in.Routes)
			shuffle(r, in.Sets)
			shuffle(r, in.Verdicts)
			if diff := cmp.Diff(want, text(t, gateway.Build(in, 7))); diff != "" {
				t.Fatal(diff)
			}
		}
	}
}

func shuffle[E any](r *rand.Rand, s []E) {
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// The shortcut gives what the build from scratch gives, byte for byte.
func TestReplacingUpstreamsEqualsBuild(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		in := world(r)
		before := gateway.Build(in, 1)
		u := in.Upstreams[r.IntN(len(in.Upstreams))]
		sets, verdicts := someSets(r, u), someVerdicts(r, u.Key())
		got := gateway.ReplaceUpstreams(before, []gateway.Replacement{{Upstream: u, Sets: sets, Verdicts: verdicts}}, 2)

		var after gateway.Inputs
		after.Tenants, after.Upstreams, after.Routes = in.Tenants, in.Upstreams, in.Routes
		for _, s := range in.Sets {
			if s.Upstream != u.Key() {
				after.Sets = append(after.Sets, s)
			}
		}
		for _, v := range in.Verdicts {
			if v.Upstream != u.Key() {
				after.Verdicts = append(after.Verdicts, v)
			}
		}
		after.Sets, after.Verdicts = append(after.Sets, sets...), append(after.Verdicts, verdicts...)
		if diff := cmp.Diff(text(t, gateway.Build(after, 2)), text(t, got)); diff != "" {
			t.Fatal(diff)
		}
	}
}

// A claim of one tenant keeps the others out, and the rest of their objects goes live.
func TestClaimsKeepTenantsApart(t *testing.T) {
	tenant := func(rev int64, name string, hosts ...string) *gateway.Tenant {
		return &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: name, CreatedRevision: rev}, Spec: gateway.TenantSpec{Hosts: hosts}}
	}
	up := &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "late", Name: "u"}}
	route := &gateway.Route{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "late", Name: "r"},
		Spec: gateway.RouteSpec{Hosts: []string{"Shop.Example.com", "api.shop.example.com", "mine.example.com"}, To: []gateway.RouteTarget{{Upstream: "u"}, {Upstream: "nosuch"}}}}
	s := gateway.Build(gateway.Inputs{
		Tenants:   []*gateway.Tenant{tenant(2, "late", "shop.example.com", "mine.example.com", "*.example.com", "not a host"), tenant(1, "early", "shop.example.com", "*.shop.example.com")},
		Upstreams: []*gateway.Upstream{up}, Routes: []*gateway.Route{route},
	}, 1)
	var got []string
	for _, p := range s.Problems {
		got = append(got, fmt.Sprint(p.Object, " ", p.Field, " ", p.Code))
	}
	want := []string{
		"Route late/r spec.hosts[0] host_not_owned",
		"Route late/r spec.hosts[1] host_not_owned",
		"Route late/r spec.to[1].upstream upstream_unknown",
		"Tenant late spec.hosts[0] host_taken",
		"Tenant late spec.hosts[3] host_invalid",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if h := s.Lookup("mine.example.com"); h == nil || len(h.Rules) != 1 || h.Tenant != "late" {
		t.Errorf("the good host is not live: %+v", h)
	}
	// late's wildcard must not serve what early has claimed more narrowly.
	for host, owner := range map[string]string{"x.shop.example.com": "early", "shop.example.com": "early", "x.example.com": "late", "a.b.example.com": "late"} {
		if h := s.Lookup(host); h == nil || h.Tenant != owner {
			t.Errorf("%s is served by %+v, want %s", host, h, owner)
		}
	}
	if h := s.Lookup("example.org"); h != nil {
		t.Errorf("example.org is served by %+v", h)
	}
}

// Half of the endpoints may be out; beyond that ejections are ignored, and when every one is
// down, probes are ignored too.
func TestRotationArithmetic(t *testing.T) {
	const e, d, h, o = gateway.StateEjected, gateway.StateDown, gateway.StateHealthy, gateway.StateUnknown
	for _, c := range []struct {
		states []gateway.HealthState
		in     []bool
		panic  bool
	}{
		{[]gateway.HealthState{h, o}, []bool{true, true}, false},
		{[]gateway.HealthState{h, e}, []bool{true, false}, false},
		{[]gateway.HealthState{h, e, d}, []bool{true, true, false}, true},
		{[]gateway.HealthState{d, d, e}, []bool{false, false, true}, true},
		{[]gateway.HealthState{d, d}, []bool{true, true}, true},
		{[]gateway.HealthState{h, h, d, e}, []bool{true, true, false, false}, false},
	} {
		u := &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "t", Name: "u"}}
		in := gateway.Inputs{Tenants: []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "t"}}}, Upstreams: []*gateway.Upstream{u}}
		set := gateway.EndpointSet{SetKey: gateway.SetKey{Upstream: u.Key(), Source: gateway.SourceManual}}
		for i, st := range c.states {
			addr := fmt.Sprintf("10.0.0.%d:80", i+1)
			set.Endpoints = append(set.Endpoints, gateway.SourceEndpoint{Address: addr, Weight: 1})
			in.Verdicts = append(in.Verdicts, gateway.Verdict{EndpointKey: gateway.EndpointKey{Upstream: u.Key(), Address: addr}, State: st})
		}
		in.Sets = []gateway.EndpointSet{set}
		got := gateway.Build(in, 1).Upstreams[0]
		var rotation []bool
		for _, ep := range got.Endpoints {
			rotation = append(rotation, ep.InRotation)
		}
		if diff := cmp.Diff(c.in, rotation); diff != "" || got.Panic != c.panic {
			t.Errorf("%v: rotation %v, panic %v", c.states, rotation, got.Panic)
		}
	}
}
