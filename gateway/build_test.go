package gateway_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestSiteHasNoProblems(t *testing.T) {
	s := gateway.Build(newSite().Inputs, 1)
	if len(s.Problems) != 0 {
		t.Error(problemLines(s))
	}
	if diff := gocmp.Diff(siteServing, serving(s)); diff != "" {
		t.Error(diff)
	}
}

// problemCases has a case for each code, TestEveryCodeHasACase sees to it.
var problemCases = []problemCase{
	{name: "a fleet that does not exist", edit: func(s *site) { s.acme.Spec.Fleets = []string{"shared", "nosuch"} },
		want: "Tenant acme: spec.fleets[1]: fleet_unknown, found by build", says: `There is no fleet "nosuch"`},
	{name: "waves that leave nodes out", edit: func(s *site) { s.shared.Spec.Waves = []gateway.Wave{{Count: 1}, {Percent: 50}} },
		want: "Fleet shared: spec.waves: waves_invalid, found by build", says: `some nodes would never get a change: end with 100%`},
	{name: "a drain of days", edit: func(s *site) { s.shared.Spec.Drain = gateway.Duration(360e12) },
		want: "Fleet shared: spec.drain: span_invalid, found by build", says: `100h can not be used, so 1h is in force: write at most 1h`},
	{name: "a gate that is none", edit: func(s *site) { s.shared.Spec.Gates.MaxErrorRatioDelta = 5 },
		want: "Fleet shared: spec.gates.maxErrorRatioDelta: gate_invalid, found by build", says: `0.05 is in force: write a share from 0 to 1`},
	{name: "endpoints of a fleet in a third way", edit: func(s *site) { s.shared.Spec.Endpoints = "lua" },
		want: "Fleet shared: spec.endpoints: endpoints_invalid, found by build", says: `Endpoints "lua" is not known`},
	{name: "a share of errors that is none", edit: func(s *site) { s.acme.Spec.Alerts = &gateway.TenantAlerts{MaxErrorRatio: 5} },
		want: "Tenant acme: spec.alerts.maxErrorRatio: alerts_invalid, found by build", says: `write a number from 0 to 1`},
	{name: "an upstream of no tenant", edit: func(s *site) { s.Upstreams = append(s.Upstreams, upstream("ghost", "api")) },
		want: "Upstream ghost/api: tenant: tenant_unknown, found by build", says: `There is no tenant "ghost"`},
	{name: "a route of no tenant", edit: func(s *site) {
		s.Routes = append(s.Routes, route(9, "ghost", "all", "shop.test", "/ghost", "api"))
	}, want: "Route ghost/all: tenant: tenant_unknown, found by build", says: `There is no tenant "ghost"`},
	{name: "a host that is no name, in a claim", edit: func(s *site) { s.acme.Spec.Hosts = []string{"http://shop.test", "shop.test", "*.acme.test"} },
		want: "Tenant acme: spec.hosts[0]: host_invalid, found by build", says: `':' can't stand in a host name`},
	{name: "a host that is no name, in a route", edit: func(s *site) { s.apiRoute.Spec.Hosts = []string{"shop.test", "shop..test"} },
		want: "Route acme/api: spec.hosts[1]: host_invalid, found by build", says: "a label between dots is empty"},
	{name: "a host that an older tenant claims", edit: func(s *site) { s.other.Spec.Hosts = []string{"Shop.Test.", "other.test"} },
		want: "Tenant other: spec.hosts[0]: host_taken, found by build", says: `Host "shop.test" belongs to tenant "acme"`},
	{name: "a route on a host of another tenant", edit: func(s *site) { s.apiRoute.Spec.Hosts = []string{"other.test", "shop.test"} },
		want: "Route acme/api: spec.hosts[0]: host_not_owned, found by build", says: `Host "other.test" belongs to tenant "other"`},
	{name: "a route on a host that nobody claims", edit: func(s *site) { s.apiRoute.Spec.Hosts = []string{"shop.test", "free.test"} },
		want: "Route acme/api: spec.hosts[1]: host_not_owned, found by build", says: `"free.test" is not among the hosts of tenant "acme"`},
	{name: "a route without hosts", edit: func(s *site) {
		r := route(9, "acme", "nowhere", "", "/", "api")
		r.Spec.Hosts = nil
		s.Routes = append(s.Routes, r)
	}, want: "Route acme/nowhere: spec.hosts: host_missing, found by build", says: "The route names no host"},
	{name: "a path that an older route has", edit: func(s *site) {
		r := route(9, "acme", "late", "shop.test", "/api/", "web")
		r.Spec.Match = append(r.Spec.Match, gateway.Match{Path: gateway.PathMatch{Exact: "/api"}})
		s.Routes = append(s.Routes, r)
	}, want: "Route acme/late: spec.match: path_taken, found by build", says: `prefix "/api" on host "shop.test" is already taken by route "api"`,
		gained: []string{`shop.test exact "/api" to acme/web=1, timeout 30s, body 10m`}},
	{name: "a path that no request can have", edit: func(s *site) {
		s.apiRoute.Spec.Match = append(s.apiRoute.Spec.Match, gateway.Match{Path: gateway.PathMatch{Exact: "/a/../b"}})
	}, want: "Route acme/api: spec.match[1].path: path_invalid, found by build", says: `dot segment ".."`},
	{name: "a condition that no request can meet", edit: func(s *site) {
		s.shopRoute.Spec.Match = []gateway.Match{{}, {Conditions: gateway.Conditions{Methods: []string{"GET", "post"}}}}
	}, want: "Route acme/shop: spec.match[1].methods[1]: match_invalid, found by build", says: `Method "post" is none`},
	{name: "a target that does not exist", edit: func(s *site) {
		s.apiRoute.Spec.To = append(s.apiRoute.Spec.To, gateway.RouteTarget{Upstream: "nosuch"})
	}, want: "Route acme/api: spec.to[1].upstream: upstream_unknown, found by build", says: `Tenant "acme" has no upstream "nosuch"`},
	{name: "a target with a weight beyond the range", edit: func(s *site) {
		s.apiRoute.Spec.To = append(s.apiRoute.Spec.To, gateway.RouteTarget{Upstream: "web", Weight: ptr(1001)})
	}, want: "Route acme/api: spec.to[1].weight: weight_invalid, found by build", says: "Weight 1001 is outside 0 to 1000"},
	{name: "a target with a negative weight", edit: func(s *site) {
		s.apiRoute.Spec.To = append([]gateway.RouteTarget{{Upstream: "web", Weight: ptr(-1)}}, s.apiRoute.Spec.To...)
	}, want: "Route acme/api: spec.to[0].weight: weight_invalid, found by build", says: "Weight -1 is outside"},
	{name: "a route without targets stays and answers 503", edit: func(s *site) {
		r := route(9, "acme", "empty", "shop.test", "/empty", "")
		r.Spec.To = nil
		s.Routes = append(s.Routes, r)
	}, want: "Route acme/empty: spec.to: target_missing, found by build", says: "answered 503",
		gained: []string{`shop.test prefix "/empty" to nothing, timeout 30s, body 10m`}},
	{name: "an override of no route", edit: func(s *site) {
		o := &gateway.Override{Meta: meta(gateway.KindOverride, "other", "stray"), Spec: gateway.OverrideSpec{Route: "api", Set: gateway.OverrideSet{Timeout: ptr(second)}}}
		s.Overrides = append(s.Overrides, o)
	}, want: "Override other/stray: spec.route: route_unknown, found by build", says: `Tenant "other" has no route "api"`},
	{name: "an override above the ceiling", edit: func(s *site) { s.slow.Spec.Set.Timeout = ptr(31 * second) },
		want: "Override acme/slow: spec.set.timeout: over_policy, found by build", says: "timeout 31s is above the 30s that Policy ceiling allows",
		lost:   []string{`shop.test prefix "/api" to acme/api=1, timeout 20s, body 10m, nginx "proxy_buffering off;"`},
		gained: []string{`shop.test prefix "/api" to acme/api=1, timeout 30s, body 10m, nginx "proxy_buffering off;"`}},
	{name: "a route above the ceiling", edit: func(s *site) { s.shopRoute.Spec.MaxBodySize = 2 << 30 },
		want: "Route acme/shop: spec.maxBodySize: over_policy, found by build", says: "maxBodySize 2g is above the 1g that Policy ceiling allows",
		lost:   []string{`shop.test prefix "/" to acme/web=1, timeout 30s, body 10m`},
		gained: []string{`shop.test prefix "/" to acme/web=1, timeout 30s, body 1g`}},
	{name: "an override of a locked field", edit: func(s *site) {
		s.ceiling.Spec.Locks = []string{"maxBodySize"}
		s.slow.Spec.Set.MaxBodySize = ptr(gateway.Size(1))
	}, want: "Override acme/slow: spec.set.maxBodySize: field_locked, found by build", says: "Policy ceiling locks maxBodySize"},

	{name: "a protocol that is not spoken", edit: func(s *site) { s.api.Spec.Protocol = "gopher" },
		want: "Upstream acme/api: spec.protocol: protocol_unknown, found by build", says: `"gopher" is not known, so http is spoken`},
	{name: "a discovery entry that names nothing", edit: func(s *site) { s.api.Spec.Discover = append(s.api.Spec.Discover, gateway.Discover{}) },
		want: "Upstream acme/api: spec.discover[1]: discover_invalid, found by build", says: "exactly one of kubernetes, etcd, dns and manual"},
	{name: "a discovery entry that names two", edit: func(s *site) {
		s.api.Spec.Discover = append(s.api.Spec.Discover, gateway.Discover{Etcd: &gateway.EtcdDiscover{Prefix: "/p/"}, DNS: &gateway.DNSDiscover{Name: "api.test", Port: 80}})
	}, want: "Upstream acme/api: spec.discover[1]: discover_invalid, found by build", says: "exactly one of"},
	{name: "a service without a name", edit: func(s *site) {
		s.api.Spec.Discover = append(s.api.Spec.Discover, gateway.Discover{Kubernetes: &gateway.KubernetesDiscover{Namespace: "shop"}})
	}, want: "Upstream acme/api: spec.discover[1]: discover_invalid, found by build", says: `Service "" is not a name in Kubernetes`},
	{name: "a namespace that is none", edit: func(s *site) {
		s.api.Spec.Discover = append(s.api.Spec.Discover, gateway.Discover{Kubernetes: &gateway.KubernetesDiscover{Namespace: "A b", Service: "api"}})
	}, want: "Upstream acme/api: spec.discover[1]: discover_invalid, found by build", says: `Namespace "A b" is not a name in Kubernetes`},
	{name: "a number that is no port", edit: func(s *site) {
		s.api.Spec.Discover = append(s.api.Spec.Discover, gateway.Discover{Kubernetes: &gateway.KubernetesDiscover{Namespace: "shop", Service: "api", Port: "99999"}})
	}, want: "Upstream acme/api: spec.discover[1]: discover_invalid, found by build", says: `Port "99999" is neither`},
	{name: "a whole etcd", edit: func(s *site) {
		s.api.Spec.Discover = append(s.api.Spec.Discover, gateway.Discover{Etcd: &gateway.EtcdDiscover{Prefix: "/"}})
	}, want: "Upstream acme/api: spec.discover[1]: discover_invalid, found by build", says: `Prefix "/" is the whole etcd`},
	{name: "a name that is an address", edit: follow(gateway.DNSDiscover{Name: "10.0.0.4", Port: 80}),
		want: "Upstream acme/api: spec.discover[1]: discover_invalid, found by build", says: `Name "10.0.0.4" is an address, not a name: write it under spec.endpoints`},
	{name: "a name that is none", edit: follow(gateway.DNSDiscover{Name: "api..test", Port: 80}),
		want: "Upstream acme/api: spec.discover[1]: discover_invalid, found by build", says: `Name "api..test" is not a host name`},
	{name: "a record type that is not followed", edit: follow(gateway.DNSDiscover{Name: "api.test", Type: "MX", Port: 80}),
		want: "Upstream acme/api: spec.discover[1]: discover_invalid, found by build", says: `Type "MX" is not known: write A, AAAA, SRV`},
	{name: "a name without a port", edit: follow(gateway.DNSDiscover{Name: "api.test"}),
		want: "Upstream acme/api: spec.discover[1]: discover_invalid, found by build", says: `Port 0 is not a port from 1 to 65535, and A and AAAA records bring none`},
	{name: "a port that SRV records bring", edit: follow(gateway.DNSDiscover{Name: "_http._tcp.api.test", Type: "SRV", Port: 80}),
		want: "Upstream acme/api: spec.discover[1]: discover_invalid, found by build", says: `Port 80 can't be used with type SRV`},
	{name: "a precedence that is none", edit: func(s *site) { s.api.Spec.Discover[0].Precedence = ptr(1001) },
		want: "Upstream acme/api: spec.discover[0].precedence: precedence_invalid, found by build", says: "1001 is outside 0 to 1000, so the default 30 is in force"},
	{name: "a group that is none", edit: func(s *site) { s.api.Spec.Discover[0].Priority = ptr(-1) },
		want: "Upstream acme/api: spec.discover[0].priority: priority_invalid, found by build", says: "-1 is negative, so what the source says counts"},
	{name: "a share that is none", edit: func(s *site) { s.api.Spec.Discover[0].Weight = ptr(1001) },
		want: "Upstream acme/api: spec.discover[0].weight: weight_invalid, found by build", says: "1001 is outside 0 to 1000, so no weight of a place is in force"},
	{name: "a place without a share", edit: func(s *site) {
		s.api.Spec.Discover[0].Weight = ptr(80)
		s.api.Spec.Discover = append(s.api.Spec.Discover, gateway.Discover{DNS: &gateway.DNSDiscover{Name: "api.test", Port: 80}})
	}, want: "Upstream acme/api: spec.discover[1].weight: weight_missing, found by build", says: "give it one, or take those of the others away"},
	{name: "a place twice", edit: func(s *site) {
		d := s.api.Spec.Discover[0]
		d.Priority = ptr(3)
		s.api.Spec.Discover = append(s.api.Spec.Discover, d)
	}, want: "Upstream acme/api: spec.discover[1]: place_twice, found by build", says: "It names the place of spec.discover[0], whose precedence"},
	{name: "a check that does not exist", edit: func(s *site) { s.api.Spec.Health.Active = &gateway.ActiveCheck{Type: "icmp"} },
		want: "Upstream acme/api: spec.health.active.type: check_unknown, found by build", says: `"icmp" is not known, so endpoints are not probed`},
	{name: "a probe of a path that can't be sent", edit: func(s *site) { s.api.Spec.Health.Active = &gateway.ActiveCheck{Path: "/a b"} },
		want: "Upstream acme/api: spec.health.active.path: check_invalid, found by build", says: `Path "/a b" can't be sent`},
	{name: "a host that a probe can't send", edit: probe(gateway.ActiveCheck{Host: "a b"}),
		want: "Upstream acme/api: spec.health.active.host: check_invalid, found by build", says: `Host "a b" can't be sent`},
	{name: "a pattern that is none", edit: probe(gateway.ActiveCheck{Body: "("}),
		want: "Upstream acme/api: spec.health.active.body: check_invalid, found by build", says: `Pattern "(" can't be read, so endpoints are not probed: error parsing`},
	{name: "a user beyond all bounds", edit: probe(gateway.ActiveCheck{Type: "mysql", User: strings.Repeat("u", 81)}),
		want: "Upstream acme/api: spec.health.active.user: check_invalid, found by build", says: `write at most 80 letters`},
	{name: "a probe's header without a name", edit: probe(gateway.ActiveCheck{Headers: map[string]string{"a b": "x"}}),
		want: "Upstream acme/api: spec.health.active.headers: check_invalid, found by build", says: `Header "a b" is not a header name`},
	{name: "a probe's Host among its headers", edit: probe(gateway.ActiveCheck{Headers: map[string]string{"Host": "x"}}),
		want: "Upstream acme/api: spec.health.active.headers: check_invalid, found by build", says: `Header "Host" is what the field host is for`},
	{name: "a probe's header about its connection", edit: probe(gateway.ActiveCheck{Headers: map[string]string{"Transfer-Encoding": "chunked"}}),
		want: "Upstream acme/api: spec.health.active.headers: check_invalid, found by build", says: `is about the connection`},
	{name: "a probe's header with a line break", edit: probe(gateway.ActiveCheck{Headers: map[string]string{"X-A": "1\r\nX-B: 2"}}),
		want: "Upstream acme/api: spec.health.active.headers: check_invalid, found by build", says: `has a value with control characters`},
	{name: "an initial state that does not exist", edit: probe(gateway.ActiveCheck{Type: "tcp", Initial: "up"}),
		want: "Upstream acme/api: spec.health.active.initial: check_invalid, found by build", says: `Initial state "up" is not known, so unknown is in force`,
		lost:   []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active none`},
		gained: []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active tcp  [] 2s/5s +2 -3`}},
	{name: "a field of another type of check", edit: probe(gateway.ActiveCheck{Type: "redis", Body: "PONG"}),
		want: "Upstream acme/api: spec.health.active.body: check_unused, found by build", says: `Checks of type redis do not look at body: leave it out, or write type: http.`,
		lost:   []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active none`},
		gained: []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active redis  [] 2s/5s +2 -3`}},
	{name: "a blocked status that does not exist", edit: probe(gateway.ActiveCheck{ExpectNot: []string{"5xx", "502"}}),
		want: "Upstream acme/api: spec.health.active.expectNot[0]: status_invalid, found by build", says: `"5xx" is not a status`,
		lost:   []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active none`},
		gained: []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active http / [] 2s/5s +2 -3`}},
	{name: "a status that does not exist", edit: func(s *site) {
		s.api.Spec.Health.Active = &gateway.ActiveCheck{Expect: []string{"204", "20x"}}
	}, want: "Upstream acme/api: spec.health.active.expect[1]: status_invalid, found by build", says: `"20x" is not a status`,
		lost:   []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active none`},
		gained: []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active http / [204] 2s/5s +2 -3`}},
	{name: "negative attempts", edit: func(s *site) { s.api.Spec.Retry.Attempts = -1 },
		want: "Upstream acme/api: spec.retry.attempts: number_invalid, found by build", says: "-1 is negative, so the default 2 is in force"},
	{name: "negative errors", edit: func(s *site) {
		s.api.Spec.Health.Passive = &gateway.PassiveCheck{ConsecutiveGatewayErrors: -3}
	}, want: "Upstream acme/api: spec.health.passive.consecutiveGatewayErrors: number_invalid, found by build", says: "-3 is negative, so the default 5"},
	{name: "a negative share", edit: func(s *site) { s.api.Spec.Health.Passive = &gateway.PassiveCheck{MaxEjectedPercent: -1} },
		want: "Upstream acme/api: spec.health.passive.maxEjectedPercent: number_invalid, found by build", says: "the default 30"},
	{name: "a negative rise", edit: func(s *site) { s.api.Spec.Health.Active = &gateway.ActiveCheck{Type: "tcp", Rise: -1} },
		want: "Upstream acme/api: spec.health.active.rise: number_invalid, found by build", says: "the default 2",
		lost:   []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active none`},
		gained: []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active tcp  [] 2s/5s +2 -3`}},
	{name: "a negative fall", edit: func(s *site) { s.api.Spec.Health.Active = &gateway.ActiveCheck{Type: "tcp", Fall: -1} },
		want: "Upstream acme/api: spec.health.active.fall: number_invalid, found by build", says: "the default 3",
		lost:   []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active none`},
		gained: []string{`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active tcp  [] 2s/5s +2 -3`}},
	{name: "an entry that a source could not read", edit: func(s *site) { s.apiFromKV.Problems = []string{"/api/x holds no JSON."} },
		want: "Upstream acme/api: spec.discover: source_entry, found by etcd", says: "/api/x holds no JSON."},
	{name: "an address by hand that is none", edit: func(s *site) {
		s.apiByHand.Endpoints = append(s.apiByHand.Endpoints, gateway.SourceEndpoint{Address: "db.test:80", Weight: 1})
	}, want: "Upstream acme/api: spec.endpoints[1].address: address_invalid, found by build", says: `"db.test:80" is not IP:port`},
	{name: "a weight by hand that is none", edit: func(s *site) {
		s.apiByHand.Endpoints = append(s.apiByHand.Endpoints, gateway.SourceEndpoint{Address: "10.0.0.7:80", Weight: 2000})
	}, want: "Upstream acme/api: spec.endpoints[1].weight: weight_invalid, found by build", says: "has weight 2000, which is outside 0 to 1000"},
	{name: "a discovered address that is none", edit: func(s *site) {
		s.apiFromKV.Endpoints = append(s.apiFromKV.Endpoints, gateway.SourceEndpoint{Address: "10.0.0.6:0", Weight: 1})
	}, want: "Upstream acme/api: spec.discover: address_invalid, found by etcd", says: "has port 0"},
	{name: "a discovered address that is denied", edit: func(s *site) {
		s.apiFromKV.Endpoints = append(s.apiFromKV.Endpoints, gateway.SourceEndpoint{Address: "169.254.169.254:80", Weight: 1})
	}, want: "Upstream acme/api: spec.discover: address_denied, found by etcd", says: "169.254.169.254:80 is inside 169.254.169.254/32, which is denied"},
}

func follow(d gateway.DNSDiscover) func(*site) {
	return func(s *site) { s.api.Spec.Discover = append(s.api.Spec.Discover, gateway.Discover{DNS: &d}) }
}

func probe(c gateway.ActiveCheck) func(*site) {
	return func(s *site) { s.api.Spec.Health.Active = &c }
}

type problemCase struct {
	name string
	edit func(*site)
	want string // the only problem: object, field, code and who found it
	says string // part of the message
	// lost and gained are the differences to siteServing. Everything else stays.
	lost, gained []string
}

func (c problemCase) code() string {
	_, rest, _ := strings.Cut(c.want, ": ")
	_, rest, _ = strings.Cut(rest, ": ")
	code, _, _ := strings.Cut(rest, ",")
	return code
}

// One bad item gives one Problem on its object, and everything else serves as before.
func TestProblems(t *testing.T) {
	for _, c := range problemCases {
		t.Run(c.name, func(t *testing.T) {
			in := newSite()
			c.edit(in)
			s := gateway.Build(in.Inputs, 1)
			if diff := gocmp.Diff([]string{c.want}, problemLines(s)); diff != "" {
				t.Fatal(diff)
			}
			if message := s.Problems[0].Message; !strings.Contains(message, c.says) || !strings.HasSuffix(message, ".") {
				t.Errorf("message %q, want a sentence with %q", message, c.says)
			}
			if diff := gocmp.Diff(changed(t, siteServing, c.lost, c.gained), serving(s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// changed applies the differences of a case to what a site serves.
func changed(t *testing.T, from, lost, gained []string) []string {
	t.Helper()
	out := append(slices.Clone(from), gained...)
	for _, line := range lost {
		i := slices.Index(out, line)
		if i < 0 {
			t.Fatalf("the case loses %q, which was never there", line)
		}
		out = slices.Delete(out, i, i+1)
	}
	slices.Sort(out)
	return out
}

// All bad items together give all their problems, in order, and lose no more than each alone.
func TestProblemsTogether(t *testing.T) {
	in := newSite()
	want := map[string]bool{}
	for _, c := range problemCases {
		// Cases that write the same field would undo each other, so only some of them take part.
		if len(c.lost) == 0 && len(c.gained) == 0 && c.code() != "discover_invalid" && !strings.Contains(c.want, "spec.h") && !strings.Contains(c.want, "weight") {
			c.edit(in)
			want[c.want] = true
		}
	}
	s := gateway.Build(in.Inputs, 1)
	if diff := gocmp.Diff(siteServing, serving(s)); diff != "" {
		t.Error(diff)
	}
	for _, line := range problemLines(s) {
		delete(want, line)
	}
	if len(want) != 0 {
		t.Errorf("not reported: %v\ngot %v", want, problemLines(s))
	}
	if !slices.IsSortedFunc(s.Problems, gateway.Problem.Compare) {
		t.Errorf("not sorted: %v", problemLines(s))
	}
}

// A code that the sources raise and no case covers fails here, and so does a case whose code
// has gone.
func TestEveryCodeHasACase(t *testing.T) {
	var covered []string
	for _, c := range problemCases {
		covered = append(covered, c.code())
	}
	slices.Sort(covered)
	raised := raisedCodes(t)
	if len(raised) < 20 {
		t.Fatalf("found %d codes only, so the search misses some: %v", len(raised), raised)
	}
	if diff := gocmp.Diff(raised, slices.Compact(covered)); diff != "" {
		t.Error(diff)
	}
}

// raisedCodes reads the codes from the sources: literals of Problem and calls of the checker's
// method problem. A code that is not spelled out in place is refused, as it can't be found.
func raisedCodes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	for _, name := range files {
		// These have tables of their own: certificate_test.go, limits_test.go, respond_test.go, header_edit_test.go, redirect_test.go, ip_access_test.go, those of
		// limits and mirrors, pin_test.go, balance_test.go and stream_test.go.
		own := []string{"build_certificate.go", "upstream_tls.go", "limits.go", "filters.go", "conditions.go", "header_edit.go", "rewrite.go", "redirect.go", "respond.go", "ip_access.go",
			"rate_limit.go", "connection_limit.go", "mirror.go", "endpoint_policy.go", "pin.go", "balance.go", "stream.go"}
		if strings.HasSuffix(name, "_test.go") || slices.Contains(own, name) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); !ok || f.Name.Name != "problem" {
				ast.Inspect(d, func(n ast.Node) bool { noteCode(t, name, n, codes); return true })
			}
		}
	}
	delete(codes, "target_unused") // respond_test.go has it
	out := make([]string, 0, len(codes))
	for c := range codes {
		out = append(out, c)
	}
	slices.Sort(out)
	return out
}

func noteCode(t *testing.T, name string, n ast.Node, codes map[string]bool) {
	t.Helper()
	var code ast.Expr
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Code" {
			code = n.Value
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "problem" {
			code = n.Args[1]
		}
	}
	if code == nil {
		return
	}
	lit, ok := code.(*ast.BasicLit)
	if !ok {
		t.Fatalf("%s: a code is not a literal: %T", name, code)
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		t.Fatal(err)
	}
	codes[text] = true
}

// Nothing that Build is given is changed, and nothing that it has returned changes later.
func TestBuildChangesNothing(t *testing.T) {
	in := newSite()
	in.api.Spec.Health.Active = &gateway.ActiveCheck{}
	in.Verdicts = []gateway.Verdict{verdict(in.api.Key(), "10.0.0.4:80", gateway.StateEjected)}
	inputs := func() string {
		b, err := json.Marshal(in.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before := inputs()
	s := gateway.Build(in.Inputs, 1)
	if diff := gocmp.Diff(before, inputs()); diff != "" {
		t.Error(diff)
	}
	first := text(t, s)
	gateway.ReplaceUpstreams(s, []gateway.Replacement{{Upstream: in.api}, {Upstream: in.web}}, 2)
	if diff := gocmp.Diff(first, text(t, s)); diff != "" {
		t.Error(diff)
	}
}

// The shortcut follows a new spec too, takes several upstreams at once, and leaves out those
// that the snapshot does not have.
func TestReplaceUpstreams(t *testing.T) {
	in := newSite()
	prev := gateway.Build(in.Inputs, 1)
	api, web := *in.api, *in.web
	api.Spec.Protocol, web.Spec.Retry.Attempts = "gopher", 7
	ghost := upstream("ghost", "api")
	next := gateway.ReplaceUpstreams(prev, []gateway.Replacement{
		{Upstream: &api, Sets: []gateway.EndpointSet{*in.apiByHand}, Verdicts: []gateway.Verdict{verdict(api.Key(), "10.0.0.4:80", gateway.StateHealthy)}},
		{Upstream: ghost, Sets: []gateway.EndpointSet{set(ghost.Key(), gateway.SourceManual, "", "10.7.7.7:80")}},
		{Upstream: &web},
	}, 2)
	want := changed(t, siteServing, []string{
		`acme/api 10.0.0.5:80 weight 1 of [etcd], in rotation`,
		`acme/web 10.0.1.1:80 weight 1 of [manual], in rotation`,
		`acme/web http round_robin, 2 attempts, passive 5 errors 30s 30%, active none`,
	}, []string{`acme/web http round_robin, 7 attempts, passive 5 errors 30s 30%, active none`})
	if diff := gocmp.Diff(want, serving(next)); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([]string{"Upstream acme/api: spec.protocol: protocol_unknown, found by build"}, problemLines(next)); diff != "" {
		t.Error(diff)
	}
	if next.Generation != 2 || next.Digest == prev.Digest || next.VerdictDigest == prev.VerdictDigest {
		t.Errorf("generation %d, digests %s, %s", next.Generation, next.Digest, next.VerdictDigest)
	}
	back := gateway.ReplaceUpstreams(next, []gateway.Replacement{
		{Upstream: in.api, Sets: in.Sets}, {Upstream: in.web, Sets: in.Sets[2:3]},
	}, 1)
	if diff := gocmp.Diff(text(t, prev), text(t, back)); diff != "" {
		t.Error(diff)
	}
}
