package gateway_test

import (
	"cmp"
	"math/rand/v2"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// Of an address that several sources name, the attributes of the strongest count: by hand,
// then etcd, then Kubernetes, then DNS; within one source, the place that the spec names first.
func TestSourcePrecedence(t *testing.T) {
	u := upstream("acme", "api")
	etcd := func(prefix string) gateway.Discover {
		return gateway.Discover{Etcd: &gateway.EtcdDiscover{Prefix: prefix}}
	}
	u.Spec.Discover = []gateway.Discover{
		{Kubernetes: &gateway.KubernetesDiscover{Namespace: "shop", Service: "api", Port: "http"}},
		etcd("/z/"), etcd("/a/"), etcd("/z/"),
		{DNS: &gateway.DNSDiscover{Name: "API.test", Port: 80}},
	}
	one := func(source gateway.SourceKind, place string, weight int, zone string) gateway.EndpointSet {
		s := set(u.Key(), source, place)
		s.Endpoints = []gateway.SourceEndpoint{{Address: "10.0.0.4:80", Weight: weight, Zone: zone, Priority: weight, Terminating: weight == 1}}
		return s
	}
	kube := one(gateway.SourceKubernetes, "default/shop/api:http", 1, "k")
	etcdZ := one(gateway.SourceEtcd, "default:/z/", 2, "z")
	etcdA := one(gateway.SourceEtcd, "default:/a/", 3, "a")
	hand := one(gateway.SourceManual, "", 4, "m")
	hand.Endpoints[0].Address = "[::ffff:10.0.0.4]:80" // one address in two spellings is one endpoint
	foreign := one(gateway.SourceEtcd, "default:/old/", 9, "old")
	name := one(gateway.SourceDNS, "default/A+AAAA/api.test:80", 7, "n")
	stranger := one(gateway.SourceKind("carrier pigeon"), "", 9, "dns")
	elsewhere := one(gateway.SourceManual, "", 9, "other")
	elsewhere.Upstream.Name = "web"

	kinds := func(k ...gateway.SourceKind) []gateway.SourceKind { return k }
	r := rand.New(rand.NewPCG(11, 12))
	for _, c := range []struct {
		name    string
		sets    []gateway.EndpointSet
		zone    string // of the set whose attributes count
		weight  int
		sources []gateway.SourceKind
		place   string
	}{
		{"kubernetes alone", []gateway.EndpointSet{kube}, "k", 1, kinds("kubernetes"), "default/shop/api:http"},
		{"etcd over kubernetes", []gateway.EndpointSet{kube, etcdA}, "a", 3, kinds("etcd", "kubernetes"), "default:/a/"},
		{"manual over etcd", []gateway.EndpointSet{etcdA, hand}, "m", 4, kinds("manual", "etcd"), ""},
		{"manual over kubernetes", []gateway.EndpointSet{kube, hand}, "m", 4, kinds("manual", "kubernetes"), ""},
		{"dns alone", []gateway.EndpointSet{name}, "n", 7, kinds("dns"), "default/A+AAAA/api.test:80"},
		{"kubernetes over dns", []gateway.EndpointSet{name, kube}, "k", 1, kinds("kubernetes", "dns"), "default/shop/api:http"},
		{"all", []gateway.EndpointSet{kube, etcdA, name, etcdZ, hand}, "m", 4, kinds("manual", "etcd", "kubernetes", "dns"), ""},
		{"two places: the first of the spec", []gateway.EndpointSet{etcdA, etcdZ}, "z", 2, kinds("etcd"), "default:/z/"},
		{"sets that the spec does not ask for", []gateway.EndpointSet{kube, foreign, stranger, elsewhere}, "k", 1, kinds("kubernetes"), "default/shop/api:http"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := []gateway.Endpoint{{Address: "10.0.0.4:80", Weight: c.weight, Priority: c.weight, Zone: c.zone, Terminating: c.weight == 1,
				Sources: c.sources, Place: c.place, Verdict: verdict(u.Key(), "10.0.0.4:80", gateway.StateUnknown), InRotation: c.weight != 1}}
			for range 10 {
				shuffle(r, c.sets)
				s := gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{tenant(1, "acme")}, Upstreams: []*gateway.Upstream{u}, Sets: c.sets}, 1)
				if diff := gocmp.Diff(want, s.Upstreams[0].Endpoints); diff != "" {
					t.Fatal(diff)
				}
			}
		})
	}
}

// Addresses that only one source names are merged, each with its own attributes.
func TestSourcesAreMerged(t *testing.T) {
	in := newSite()
	in.apiFromKV.Endpoints = append(in.apiFromKV.Endpoints, gateway.SourceEndpoint{Address: "10.0.0.4:80", Weight: 7},
		gateway.SourceEndpoint{Address: "10.0.0.10:80", Weight: 7}, gateway.SourceEndpoint{Address: "10.0.0.5:80", Weight: 7}, // a repetition: the first counts
		gateway.SourceEndpoint{Address: "nonsense", Weight: 1})
	s := gateway.Build(in.Inputs, 1)
	want := changed(t, siteServing, []string{`acme/api 10.0.0.4:80 weight 1 of [manual], in rotation`},
		[]string{`acme/api 10.0.0.4:80 weight 1 of [manual etcd], in rotation`, `acme/api 10.0.0.10:80 weight 7 of [etcd], in rotation`})
	if diff := gocmp.Diff(want, serving(s)); diff != "" {
		t.Error(diff)
	}
}

// Every default of an upstream, and the bounds that values are kept in.
func TestUpstreamDefaults(t *testing.T) {
	const ms = second / 1000
	judged := func(c gateway.PassiveCheck) *gateway.PassiveCheck {
		c.Window, c.MinRequests, c.MaxErrorRatio, c.SlowMinRequests, c.SlowMaxErrorRatio = cmp.Or(c.Window, 30*second), 20, 0.5, 50, 0.2
		return &c
	}
	passive := judged(gateway.PassiveCheck{ConsecutiveGatewayErrors: 5, BaseEjection: 30 * second, MaxEjectedPercent: 30})
	timeouts := gateway.Timeouts{Connect: 2 * second, Response: 60 * second, Idle: 30 * second}
	active := func(c gateway.ActiveCheck) gateway.EffectiveCheck {
		return gateway.EffectiveCheck{Active: &c, Passive: passive}
	}
	for _, c := range []struct {
		name     string
		spec     gateway.UpstreamSpec
		health   gateway.EffectiveCheck
		timeouts gateway.Timeouts
		attempts int
	}{
		{"nothing written", gateway.UpstreamSpec{}, gateway.EffectiveCheck{Passive: passive}, timeouts, 2},
		{"everything written", gateway.UpstreamSpec{
			Protocol: "http", Balance: gateway.Balance{Policy: "round_robin"},
			Timeouts: gateway.Timeouts{Connect: 1, Response: 2, Idle: 3}, Retry: gateway.Retry{Attempts: 4}, Drain: gateway.Drain{Timeout: 11},
			Health: gateway.Health{
				Active:  &gateway.ActiveCheck{Type: "http", Path: "/up?x=1", Host: "h", Expect: []string{"204", "300-301"}, Interval: second, Timeout: 5, Rise: 6, Fall: 7},
				Passive: &gateway.PassiveCheck{ConsecutiveGatewayErrors: 8, BaseEjection: 9, MaxEjectedPercent: 10, MaxLatencyRatio: 4, Shadow: true}}},
			gateway.EffectiveCheck{
				Active:  &gateway.ActiveCheck{Type: "http", Path: "/up?x=1", Host: "h", Expect: []string{"204", "300-301"}, Interval: second, Timeout: 5, Rise: 6, Fall: 7},
				Passive: judged(gateway.PassiveCheck{ConsecutiveGatewayErrors: 8, BaseEjection: 9, MaxEjectedPercent: 10, MaxLatencyRatio: 4, Shadow: true})},
			gateway.Timeouts{Connect: 1, Response: 2, Idle: 3}, 4},
		{"an http probe", gateway.UpstreamSpec{Health: gateway.Health{Active: &gateway.ActiveCheck{}}},
			active(gateway.ActiveCheck{Type: "http", Path: "/", Expect: []string{"200-399"}, Interval: 5 * second, Timeout: 2 * second, Rise: 2, Fall: 3}), timeouts, 2},
		{"a tcp probe", gateway.UpstreamSpec{Health: gateway.Health{Active: &gateway.ActiveCheck{Type: "tcp"}}},
			active(gateway.ActiveCheck{Type: "tcp", Interval: 5 * second, Timeout: 2 * second, Rise: 2, Fall: 3}), timeouts, 2},
		{"a block-list", gateway.UpstreamSpec{Health: gateway.Health{Active: &gateway.ActiveCheck{ExpectNot: []string{"502"}, Body: "ok", Initial: "down"}}},
			active(gateway.ActiveCheck{Type: "http", Path: "/", ExpectNot: []string{"502"}, Body: "ok", Initial: "down", Interval: 5 * second, Timeout: 2 * second, Rise: 2, Fall: 3}), timeouts, 2},
		{"a grpc probe", gateway.UpstreamSpec{Health: gateway.Health{Active: &gateway.ActiveCheck{Type: "grpc", Service: "shop.Cart"}}},
			active(gateway.ActiveCheck{Type: "grpc", Service: "shop.Cart", Interval: 5 * second, Timeout: 2 * second, Rise: 2, Fall: 3}), timeouts, 2},
		{"probes closer than 100ms", gateway.UpstreamSpec{Health: gateway.Health{Active: &gateway.ActiveCheck{Type: "tcp", Interval: 1}}},
			active(gateway.ActiveCheck{Type: "tcp", Interval: 100 * ms, Timeout: 2 * second, Rise: 2, Fall: 3}), timeouts, 2},
		{"more than all", gateway.UpstreamSpec{Health: gateway.Health{Passive: &gateway.PassiveCheck{MaxEjectedPercent: 200}}},
			gateway.EffectiveCheck{Passive: judged(gateway.PassiveCheck{ConsecutiveGatewayErrors: 5, BaseEjection: 30 * second, MaxEjectedPercent: 100})}, timeouts, 2},
		{"windows out of bounds", gateway.UpstreamSpec{Health: gateway.Health{Passive: &gateway.PassiveCheck{Window: 1}}},
			gateway.EffectiveCheck{Passive: judged(gateway.PassiveCheck{ConsecutiveGatewayErrors: 5, BaseEjection: 30 * second, MaxEjectedPercent: 30, Window: 10 * second})}, timeouts, 2},
		{"passive checks off", gateway.UpstreamSpec{Health: gateway.Health{Passive: &gateway.PassiveCheck{Disabled: true}}}, gateway.EffectiveCheck{}, timeouts, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := upstream("acme", "api")
			u.Spec = c.spec
			s := gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{tenant(1, "acme")}, Upstreams: []*gateway.Upstream{u}}, 1)
			budget := gateway.DefaultRetryBudget
			drain := gateway.Drain{Timeout: cmp.Or(c.spec.Drain.Timeout, 300*second)}
			want := gateway.EffectiveUpstream{Key: u.Key(), Protocol: "http", Drain: drain, SlowStart: 30 * second, Balance: gateway.Balance{Policy: "round_robin"},
				Endpoints: []gateway.Endpoint{}, Health: c.health, Timeouts: c.timeouts, Retry: gateway.Retry{Attempts: c.attempts, On: []string{gateway.RetryConnect}, BudgetPercent: &budget}}
			wantText := text(t, &gateway.Snapshot{Upstreams: []*gateway.EffectiveUpstream{&want}})
			if diff := gocmp.Diff(wantText, text(t, &gateway.Snapshot{Upstreams: s.Upstreams})); diff != "" || len(s.Problems) != 0 {
				t.Error(diff, problemLines(s))
			}
		})
	}
}

// What its source takes out of rotation stays out and does not count for panic.
func TestRotationOfUnusable(t *testing.T) {
	in := newSite()
	in.apiByHand.Endpoints = []gateway.SourceEndpoint{
		{Address: "10.0.0.1:80", Weight: 1}, {Address: "10.0.0.2:80", Weight: 0}, {Address: "10.0.0.3:80", Weight: 1, Terminating: true},
	}
	in.apiFromKV.Endpoints = nil
	for _, c := range []struct {
		name  string
		state gateway.HealthState
		panic bool
	}{{"healthy", gateway.StateHealthy, false}, {"probation", gateway.StateProbation, false}, {"ejected", gateway.StateEjected, true}, {"down", gateway.StateDown, true}} {
		in.Verdicts = []gateway.Verdict{verdict(in.api.Key(), "10.0.0.1:80", c.state)}
		u := gateway.Build(in.Inputs, 1).Upstream(in.api.Key())
		var got []bool
		for _, e := range u.Endpoints {
			got = append(got, e.InRotation)
		}
		if diff := gocmp.Diff([]bool{true, false, false}, got); diff != "" || u.Panic != c.panic {
			t.Errorf("%s: rotation %v, panic %v", c.name, got, u.Panic)
		}
	}
}

// A place is keyed by what the spec says, with its defaults, so that sources and Build agree.
func TestSetKey(t *testing.T) {
	u := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	for _, c := range []struct {
		discover gateway.Discover
		source   gateway.SourceKind
		place    string
	}{
		{gateway.Discover{Kubernetes: &gateway.KubernetesDiscover{Namespace: "n", Service: "s"}}, "kubernetes", "default/n/s:"},
		{gateway.Discover{Kubernetes: &gateway.KubernetesDiscover{Cluster: "c", Namespace: "n", Service: "s", Port: "http"}}, "kubernetes", "c/n/s:http"},
		{gateway.Discover{Etcd: &gateway.EtcdDiscover{Prefix: "/p/"}}, "etcd", "default:/p/"},
		{gateway.Discover{Etcd: &gateway.EtcdDiscover{Registry: "r", Prefix: "/p/"}}, "etcd", "r:/p/"},
		{gateway.Discover{DNS: &gateway.DNSDiscover{Name: "Api.test", Port: 80}}, "dns", "default/A+AAAA/api.test:80"},
		{gateway.Discover{DNS: &gateway.DNSDiscover{Resolver: "r", Name: "api.test.", Type: "AAAA", Port: 80}}, "dns", "r/AAAA/api.test.:80"},
		{gateway.Discover{DNS: &gateway.DNSDiscover{Name: "_http._tcp.api.test", Type: "SRV"}}, "dns", "default/SRV/_http._tcp.api.test"},
		{gateway.Discover{}, "", ""},
	} {
		if got, want := c.discover.SetKey(u), (gateway.SetKey{Upstream: u, Source: c.source, Place: c.place}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}
