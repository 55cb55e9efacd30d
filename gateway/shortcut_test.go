package gateway_test

import (
	"bytes"
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
			declareSome(r, u)
			in.Upstreams = append(in.Upstreams, u)
			in.Sets = append(in.Sets, someSets(r, u)...)
			in.Verdicts = append(in.Verdicts, someVerdicts(r, u.Key())...)
			in.Pins = append(in.Pins, somePins(r, u.Key())...)
			in.Routes = append(in.Routes, &gateway.Route{Meta: meta(gateway.KindRoute, tenant, fmt.Sprint("r", n)), Spec: gateway.RouteSpec{
				Hosts: []string{hosts[r.IntN(2)], "foreign.example"},
				Match: []gateway.Match{{Path: gateway.PathMatch{Prefix: fmt.Sprintf("/p%d", r.IntN(3))}}},
				To:    []gateway.RouteTarget{{Upstream: fmt.Sprint("u", r.IntN(6))}}}})
		}
	}
	return in
}

// declareSome declares traits of some places, now and then of all.
func declareSome(r *rand.Rand, u *gateway.Upstream) {
	u.Spec.Endpoints = []gateway.ManualEndpoint{{Address: "10.0.0.1:80"}}
	u.Spec.Discover = append(u.Spec.Discover, gateway.Discover{Manual: &gateway.ManualDiscover{}})
	weighted := r.IntN(2) == 0
	for i := range u.Spec.Discover {
		d := &u.Spec.Discover[i]
		for _, field := range []**int{&d.Precedence, &d.Priority} {
			if n := r.IntN(3); n > 0 {
				*field = &n
			}
		}
		if n := r.IntN(50); weighted && n != 13 {
			d.Weight = &n
		}
	}
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

func somePins(r *rand.Rand, k gateway.UpstreamKey) []*gateway.Pin {
	var out []*gateway.Pin
	for range r.IntN(3) {
		p := &gateway.Pin{Meta: gateway.Meta{Kind: gateway.KindPin, Tenant: k.Tenant, Name: fmt.Sprint("p", r.IntN(1e6)), Revision: int64(r.IntN(5))}}
		p.Spec = gateway.PinSpec{Upstream: k.Name, Address: fmt.Sprintf("10.0.0.%d:80", 1+r.IntN(6)), State: gateway.PinStates[r.IntN(3)]}
		out = append(out, p)
	}
	return out
}

func pinsOf(all []*gateway.Pin, k gateway.UpstreamKey) (out []*gateway.Pin) {
	for _, p := range all {
		if p.Tenant == k.Tenant && p.Spec.Upstream == k.Name {
			out = append(out, p)
		}
	}
	return out
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
			shuffle(r, in.Pins)
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
		got := gateway.ReplaceUpstreams(before, []gateway.Replacement{{Upstream: u, Sets: sets, Pins: pinsOf(in.Pins, u.Key()), Verdicts: verdicts}}, 2)

		var after gateway.Inputs
		after.Tenants, after.Upstreams, after.Routes, after.Pins = in.Tenants, in.Upstreams, in.Routes, in.Pins
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

// Whatever is changed, one thing after the other, the snapshot that shares with the one before
// is what the build from scratch gives, byte for byte, and it shares all that did not change.
func TestSharingEqualsBuild(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	m := newMutable(r)
	last := gateway.Build(m.inputs(), 1)
	for step := range 60 {
		g := last.Generation + 1
		var next *gateway.Snapshot
		if u := m.changeSomething(r); u != nil {
			next = gateway.ReplaceUpstreams(last, []gateway.Replacement{{Upstream: u, Sets: m.sets[u.Key()], Pins: pinsOf(m.Pins, u.Key()), Verdicts: m.verdicts[u.Key()]}}, g)
		} else {
			in := m.inputs()
			in.Before = last
			next = gateway.Build(in, g)
		}
		scratch := gateway.Build(m.inputs(), g)
		if !bytes.Equal(plainText(t, scratch), plainText(t, next)) {
			t.Fatalf("step %d: %s", step, cmp.Diff(text(t, scratch), text(t, next)))
		}
		sharesAll(t, step, last.Hosts, next.Hosts, func(h *gateway.Host) string { return h.Name })
		last = next
	}
}

// sharesAll wants items that read the same to be the same.
func sharesAll[T any](t *testing.T, step int, before, after []*T, name func(*T) string) {
	t.Helper()
	old := map[string]*T{}
	for _, b := range before {
		old[name(b)] = b
	}
	for _, a := range after {
		b := old[name(a)]
		if b == nil || b == a {
			continue
		}
		if x := plainText(t, a); bytes.Equal(x, plainText(t, b)) {
			t.Errorf("step %d: %s is another one, and says the same: %s", step, name(a), x)
		}
	}
}

func plainText(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mutable is a set of inputs that is changed step by step, as control does: an object that
// changes is another object.
type mutable struct {
	gateway.Inputs // without sets and verdicts
	sets           map[gateway.UpstreamKey][]gateway.EndpointSet
	verdicts       map[gateway.UpstreamKey][]gateway.Verdict
	revision       int64
}

// newMutable makes more upstreams than a snapshot sums up together.
func newMutable(r *rand.Rand) *mutable {
	m := &mutable{sets: map[gateway.UpstreamKey][]gateway.EndpointSet{}, verdicts: map[gateway.UpstreamKey][]gateway.Verdict{}}
	for n := range 3 {
		name := fmt.Sprint("t", n)
		m.Tenants = append(m.Tenants, tenant(m.next(), name, name+".example", "*."+name+".example"))
		for range 100 {
			m.addUpstream(r, name)
		}
		for range 20 {
			m.Routes = append(m.Routes, m.route(r, name))
		}
	}
	m.Policies = []*gateway.Policy{policy("p", 60*second, 1<<30)}
	m.addUpstream(r, "late") // of no tenant
	return m
}

func (m *mutable) next() int64 {
	m.revision++
	return m.revision
}

func (m *mutable) addUpstream(r *rand.Rand, tenant string) {
	u := upstream(tenant, fmt.Sprint("u", m.next()))
	u.Spec.Discover = []gateway.Discover{{Etcd: &gateway.EtcdDiscover{Prefix: "/u/"}}, {Kubernetes: &gateway.KubernetesDiscover{Namespace: "n", Service: "s"}}}
	m.Upstreams = append(m.Upstreams, u)
	m.sets[u.Key()], m.verdicts[u.Key()] = someSets(r, u), someVerdicts(r, u.Key())
}

// route is a new one of the tenant, to upstreams that may be missing, on hosts that may be
// foreign.
func (m *mutable) route(r *rand.Rand, tenant string) *gateway.Route {
	rt := route(m.next(), tenant, fmt.Sprint("r", m.revision), fmt.Sprintf("h%d.t%d.example", r.IntN(20), r.IntN(3)), fmt.Sprintf("/p%d", r.IntN(3)), fmt.Sprint("u", 1+r.IntN(330)))
	if r.IntN(4) == 0 {
		rt.Spec.Filters = []gateway.Filter{{RateLimit: &gateway.RateLimit{Requests: 1 + r.IntN(2)}}, {ConnectionLimit: &gateway.ConnectionLimit{Max: 1 + r.IntN(2)}}, {IPAccess: &gateway.IPAccess{Deny: []string{fmt.Sprintf("10.%d.0.0/16", r.IntN(2))}}}, {Respond: &gateway.Respond{Status: 403, Headers: map[string]string{"x-a": "b"}, Body: fmt.Sprint(r.IntN(2))}}}
	}
	if r.IntN(4) == 1 {
		rt.Spec.Filters = []gateway.Filter{{Mirror: &gateway.Mirror{Upstream: rt.Spec.To[0].Upstream, Percent: ptr(r.IntN(3))}}}
	}
	switch r.IntN(4) {
	case 0:
		rt.Spec.Match[0].Methods = []string{[]string{"GET", "POST"}[r.IntN(2)]}
	case 1:
		rt.Spec.Filters = append(rt.Spec.Filters, gateway.Filter{Rewrite: &gateway.Rewrite{Prefix: fmt.Sprint("/", r.IntN(2))}},
			gateway.Filter{ResponseHeaders: &gateway.HeaderEdit{Set: map[string]string{"x-a": fmt.Sprint(r.IntN(2))}}})
	}
	return rt
}

// changeSomething makes one change. It returns the upstream if nothing else is touched.
func (m *mutable) changeSomething(r *rand.Rand) *gateway.Upstream {
	i := r.IntN(len(m.Upstreams))
	u := m.Upstreams[i]
	switch r.IntN(12) {
	case 0, 1:
		m.sets[u.Key()] = someSets(r, u)
	case 2, 3:
		m.verdicts[u.Key()] = someVerdicts(r, u.Key())
	case 4:
		changed := *u
		changed.Spec.Timeouts.Connect = gateway.Duration(1 + r.IntN(1000))
		changed.Spec.Protocol = []string{"http", "nosuch", ""}[r.IntN(3)]
		m.Upstreams[i], u = &changed, &changed
	case 5:
		m.addUpstream(r, fmt.Sprint("t", r.IntN(4))) // t3 may be there, or not
		return nil
	case 6:
		m.Upstreams = append(m.Upstreams[:i:i], m.Upstreams[i+1:]...)
		return nil
	case 7:
		m.Routes = append(m.Routes, m.route(r, fmt.Sprint("t", r.IntN(3))))
		return nil
	case 8:
		k := r.IntN(len(m.Routes))
		m.Routes = append(m.Routes[:k:k], m.Routes[k+1:]...)
		return nil
	case 9:
		m.Policies = []*gateway.Policy{policy("p", gateway.Duration(r.IntN(3))*second, 1<<30)}
		m.Policies[0].Spec.Endpoints = []*gateway.EndpointPolicy{nil, {Deny: []string{"10.0.0.0/30"}}, {}}[r.IntN(3)]
		return nil
	case 10:
		m.Overrides = nil
		for _, rt := range m.Routes[:r.IntN(3)] {
			o := &gateway.Override{Meta: meta(gateway.KindOverride, rt.Tenant, "o"+rt.Name)}
			o.Spec = gateway.OverrideSpec{Route: rt.Name, Set: gateway.OverrideSet{Timeout: ptr(gateway.Duration(r.IntN(3)) * second)}, Nginx: "proxy_buffering off;"}
			m.Overrides = append(m.Overrides, o)
		}
		return nil
	case 11:
		if m.Tenants = m.Tenants[:3:3]; r.IntN(2) == 0 {
			m.Tenants = append(m.Tenants, tenant(m.next(), "t3", fmt.Sprintf("h%d.t0.example", r.IntN(20))))
		}
		return nil
	}
	if u.Tenant == "late" || u.Tenant == "t3" {
		return nil // in no snapshot, perhaps
	}
	return u
}

func (m *mutable) inputs() gateway.Inputs {
	in := m.Inputs
	for _, u := range m.Upstreams {
		in.Sets = append(in.Sets, m.sets[u.Key()]...)
		in.Verdicts = append(in.Verdicts, m.verdicts[u.Key()]...)
	}
	return in
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
		u.Spec.Health.NoPanic = true
		for _, ep := range gateway.Build(in, 1).Upstreams[0].Endpoints {
			if ill := ep.Verdict.State == e || ep.Verdict.State == d; ep.InRotation == ill {
				t.Errorf("%v: without panic, an endpoint that is %s is in rotation: %v", c.states, ep.Verdict.State, ep.InRotation)
			}
		}
	}
}
