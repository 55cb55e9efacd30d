package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// change makes an override of the site's route api; zero values change nothing.
func change(name string, precedence int, timeout gateway.Duration, size gateway.Size, nginx string) *gateway.Override {
	o := &gateway.Override{Meta: meta(gateway.KindOverride, "acme", name)}
	o.Spec = gateway.OverrideSpec{Route: "api", Precedence: precedence, Nginx: nginx}
	if timeout != 0 {
		o.Spec.Set.Timeout = &timeout
	}
	if size != 0 {
		o.Spec.Set.MaxBodySize = &size
	}
	return o
}

func policy(name string, timeout gateway.Duration, size gateway.Size, locks ...string) *gateway.Policy {
	p := &gateway.Policy{Meta: meta(gateway.KindPolicy, "", name)}
	p.Spec = gateway.PolicySpec{Timeout: gateway.DurationRange{Max: timeout}, MaxBodySize: gateway.SizeRange{Max: size}, Locks: locks}
	return p
}

// effective builds the site's route api, which says 5s and 1m itself, and describes it.
func effective(t *testing.T, overrides []*gateway.Override, policies []*gateway.Policy) (*gateway.EffectiveRoute, []string) {
	t.Helper()
	in := newSite()
	in.apiRoute.Spec.Timeout, in.apiRoute.Spec.MaxBodySize = 5*second, 1<<20
	in.Overrides, in.Policies = overrides, policies
	s := gateway.Build(in.Inputs, 1)
	rules := s.Host("shop.test").Rules
	if len(rules) != 2 || rules[0].Route.Name != "api" {
		t.Fatalf("rules %+v", rules)
	}
	return rules[0].Route, problemLines(s)
}

// The strongest override wins field by field, and every changed field says who set it.
func TestOverrides(t *testing.T) {
	type overrides = []*gateway.Override
	type policies = []*gateway.Policy
	r := rand.New(rand.NewPCG(13, 14))
	for _, c := range []struct {
		name      string
		overrides overrides
		policies  policies
		want      string // timeout and size
		origins   []string
		nginx     []string
		problems  []string
	}{
		{name: "none", want: "5s 1m"},
		{name: "one field", overrides: overrides{change("a", 0, 20*second, 0, "")}, want: "20s 1m", origins: []string{"timeout Override acme/a"}},
		{name: "every field", overrides: overrides{change("a", 0, 20*second, 4, "x;")}, want: "20s 4",
			origins: []string{"maxBodySize Override acme/a", "nginx Override acme/a", "timeout Override acme/a"}, nginx: []string{"a x;"}},
		{name: "each its own field", overrides: overrides{change("a", 9, 20*second, 0, ""), change("b", 0, 0, 4, "")}, want: "20s 4",
			origins: []string{"maxBodySize Override acme/b", "timeout Override acme/a"}},
		{name: "a higher precedence wins over the name", overrides: overrides{change("a", 2, 20*second, 0, "x;"), change("b", 1, 21*second, 0, "y;")}, want: "20s 1m",
			origins: []string{"nginx Override acme/a", "timeout Override acme/a"}, nginx: []string{"b y;", "a x;"}},
		{name: "a negative precedence is weaker than none", overrides: overrides{change("b", -1, 20*second, 0, ""), change("a", 0, 21*second, 0, "")}, want: "21s 1m",
			origins: []string{"timeout Override acme/a"}},
		{name: "of equal precedence the last name wins", overrides: overrides{change("a", 1, 20*second, 0, ""), change("b", 1, 21*second, 0, "")}, want: "21s 1m",
			origins: []string{"timeout Override acme/b"}},
		{name: "an override that changes nothing", overrides: overrides{change("a", 0, 0, 0, "")}, want: "5s 1m"},
		{name: "exactly at the ceiling", overrides: overrides{change("a", 0, 20*second, 2<<20, "")}, policies: policies{policy("p", 20*second, 2<<20)}, want: "20s 2m",
			origins: []string{"maxBodySize Override acme/a", "timeout Override acme/a"}},
		{name: "above the ceiling", overrides: overrides{change("a", 0, 21*second, 3<<20, "")}, policies: policies{policy("p", 20*second, 2<<20)}, want: "20s 2m",
			origins:  []string{"maxBodySize Policy p", "timeout Policy p"},
			problems: []string{"Override acme/a: spec.set.maxBodySize: over_policy, found by build", "Override acme/a: spec.set.timeout: over_policy, found by build"}},
		{name: "above the ceiling, and a stronger one below it", overrides: overrides{change("a", 0, 21*second, 0, ""), change("b", 0, 10*second, 0, "")},
			policies: policies{policy("p", 20*second, 0)}, want: "10s 1m", origins: []string{"timeout Override acme/b"},
			problems: []string{"Override acme/a: spec.set.timeout: over_policy, found by build"}},
		{name: "no timeout, under a ceiling", overrides: overrides{{Meta: meta(gateway.KindOverride, "acme", "a"), Spec: gateway.OverrideSpec{Route: "api", Set: gateway.OverrideSet{Timeout: ptr(gateway.Duration(0))}}}},
			policies: policies{policy("p", 20*second, 0)}, want: "20s 1m", origins: []string{"timeout Policy p"}},
		{name: "no timeout, without a ceiling", overrides: overrides{{Meta: meta(gateway.KindOverride, "acme", "a"), Spec: gateway.OverrideSpec{Route: "api", Set: gateway.OverrideSet{Timeout: ptr(gateway.Duration(0))}}}},
			want: "0s 1m", origins: []string{"timeout Override acme/a"}},
		{name: "a body size of 0 is the default and passes no ceiling", overrides: overrides{{Meta: meta(gateway.KindOverride, "acme", "a"), Spec: gateway.OverrideSpec{Route: "api", Set: gateway.OverrideSet{MaxBodySize: ptr(gateway.Size(0))}}}},
			policies: policies{policy("p", 0, 2<<20)}, want: "5s 2m", origins: []string{"maxBodySize Policy p"}},
		{name: "a locked field", overrides: overrides{change("a", 0, 20*second, 4, "")}, policies: policies{policy("p", 0, 0, "timeout")}, want: "5s 4",
			origins:  []string{"maxBodySize Override acme/a"},
			problems: []string{"Override acme/a: spec.set.timeout: field_locked, found by build"}},
		{name: "everything locked, by two policies", overrides: overrides{change("a", 0, 20*second, 4, "")}, policies: policies{policy("p", 0, 0, "timeout"), policy("q", 0, 0, "maxBodySize", "timeout")}, want: "5s 1m",
			problems: []string{"Override acme/a: spec.set.maxBodySize: field_locked, found by build", "Override acme/a: spec.set.timeout: field_locked, found by build"}},
		{name: "a lock on a field that nobody changes", policies: policies{policy("p", 0, 0, "timeout", "nosuch")}, want: "5s 1m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 4 {
				shuffle(r, c.overrides)
				shuffle(r, c.policies)
				e, problems := effective(t, c.overrides, c.policies)
				var origins, nginx []string
				for _, o := range e.Origins {
					origins = append(origins, fmt.Sprint(o.Field, " ", o.From))
				}
				for _, n := range e.Nginx {
					nginx = append(nginx, n.Override.Name+" "+n.Text)
				}
				if got := fmt.Sprint(e.Timeout, " ", e.MaxBodySize); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				for _, diff := range []string{gocmp.Diff(c.origins, origins), gocmp.Diff(c.nginx, nginx), gocmp.Diff(c.problems, problems)} {
					if diff != "" {
						t.Error(diff)
					}
				}
			}
		})
	}
}

// The strictest of all policies binds what routes say themselves; a route that says nothing is
// held to the ceiling without a problem.
func TestCeilings(t *testing.T) {
	for _, c := range []struct {
		name     string
		timeout  gateway.Duration
		size     gateway.Size
		policies []*gateway.Policy
		want     string
		blamed   []string // field and policy in the message
	}{
		{name: "no policy, nothing said", want: "0s 10m"},
		{name: "a policy without bounds", policies: []*gateway.Policy{policy("p", 0, 0)}, want: "0s 10m"},
		{name: "nothing said", policies: []*gateway.Policy{policy("p", 30*second, 2<<20)}, want: "30s 2m"},
		{name: "the default is below the ceiling", policies: []*gateway.Policy{policy("p", 0, 20<<20)}, want: "0s 10m"},
		{name: "below", timeout: 29 * second, size: 1 << 20, policies: []*gateway.Policy{policy("p", 30*second, 2<<20)}, want: "29s 1m"},
		{name: "at", timeout: 30 * second, size: 2 << 20, policies: []*gateway.Policy{policy("p", 30*second, 2<<20)}, want: "30s 2m"},
		{name: "above", timeout: 31 * second, size: 2<<20 + 1, policies: []*gateway.Policy{policy("p", 30*second, 2<<20)}, want: "30s 2m",
			blamed: []string{"spec.maxBodySize Policy p", "spec.timeout Policy p"}},
		{name: "the strictest of several", timeout: 60 * second, size: 9 << 20, want: "20s 1m",
			policies: []*gateway.Policy{policy("a", 30*second, 1<<20), policy("b", 20*second, 2<<20), policy("c", 0, 0)},
			blamed:   []string{"spec.maxBodySize Policy a", "spec.timeout Policy b"}},
		{name: "of equal ones the first name", timeout: 60 * second, want: "20s 10m",
			policies: []*gateway.Policy{policy("b", 20*second, 0), policy("a", 20*second, 0)}, blamed: []string{"spec.timeout Policy a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newSite()
			in.Overrides, in.Policies, in.Routes = nil, c.policies, []*gateway.Route{in.apiRoute}
			in.apiRoute.Spec.Timeout, in.apiRoute.Spec.MaxBodySize = c.timeout, c.size
			s := gateway.Build(in.Inputs, 1)
			e := s.Host("shop.test").Rules[0].Route
			if got := fmt.Sprint(e.Timeout, " ", e.MaxBodySize); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if len(s.Problems) != len(c.blamed) {
				t.Fatalf("problems %v, want %v", problemLines(s), c.blamed)
			}
			for i, want := range c.blamed {
				field, by, _ := strings.Cut(want, " ")
				p := s.Problems[i]
				if p.Object != in.apiRoute.Ref() || p.Field != field || p.Code != "over_policy" || !strings.Contains(p.Message, "that "+by+" allows") {
					t.Errorf("problem %+v, want %s", p, want)
				}
			}
		})
	}
}

// Build reads no clock: an expired override that it is given still counts, and leaving it out
// (as the control loop does) gives back the route.
func TestExpiryIsTheCallers(t *testing.T) {
	o := change("a", 0, 20*second, 0, "")
	o.Spec.Expires = time.Unix(1, 0)
	e, problems := effective(t, []*gateway.Override{o}, nil)
	if e.Timeout != 20*second || len(e.Origins) != 1 || problems != nil {
		t.Errorf("with it: %+v, %v", e, problems)
	}
	e, problems = effective(t, nil, nil)
	if e.Timeout != 5*second || len(e.Origins) != 0 || problems != nil {
		t.Errorf("without it: %+v, %v", e, problems)
	}
}

// An override changes the routes of its own tenant only.
func TestOverridesStayInTheTenant(t *testing.T) {
	in := newSite()
	in.slow.Tenant = "other"
	s := gateway.Build(in.Inputs, 1)
	want := []string{"Override other/slow: spec.route: route_unknown, found by build"}
	if diff := gocmp.Diff(want, problemLines(s)); diff != "" {
		t.Error(diff)
	}
	if e := s.Host("shop.test").Rules[0].Route; e.Name != "api" || e.Timeout != 30*second || e.Nginx != nil {
		t.Errorf("acme's route is %+v", e)
	}
}

// What one policy allows is allowed, listed once and sorted.
func TestNginxDirectives(t *testing.T) {
	a, b := policy("a", 0, 0), policy("b", 0, 0)
	a.Spec.NginxDirectives = []string{"proxy_buffering", "add_header"}
	b.Spec.NginxDirectives = []string{"gzip", "add_header"}
	got := gateway.Build(gateway.Inputs{Policies: []*gateway.Policy{b, a}}, 1).NginxDirectives
	if diff := gocmp.Diff([]string{"add_header", "gzip", "proxy_buffering"}, got); diff != "" {
		t.Error(diff)
	}
}

// A ceiling that decides a route's own value is named as its origin, and what the route wrote
// is a problem of the route, the default's size too.
func TestCeilingIsTheOrigin(t *testing.T) {
	for _, c := range []struct {
		name string
		size gateway.Size
		want int // problems
	}{{"unset", 0, 0}, {"the default, written down", gateway.DefaultMaxBodySize, 1}} {
		s := gateway.Build(gateway.Inputs{
			Tenants:   []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Hosts: []string{"a.test"}}}},
			Upstreams: []*gateway.Upstream{{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "acme", Name: "api"}}},
			Routes: []*gateway.Route{{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "acme", Name: "all"},
				Spec: gateway.RouteSpec{Hosts: []string{"a.test"}, To: []gateway.RouteTarget{{Upstream: "api"}}, MaxBodySize: c.size}}},
			Policies: []*gateway.Policy{{Meta: gateway.Meta{Kind: gateway.KindPolicy, Name: "caps"}, Spec: gateway.PolicySpec{MaxBodySize: gateway.SizeRange{Max: 5 << 20}}}},
		}, 1)
		e := s.Hosts[0].Rules[0].Route
		want := []gateway.Origin{{Field: "maxBodySize", From: gateway.Ref{Kind: gateway.KindPolicy, Name: "caps"}}}
		if diff := gocmp.Diff(want, e.Origins); diff != "" || e.MaxBodySize != 5<<20 || len(s.Problems) != c.want {
			t.Errorf("%s: %v, problems %v\n%s", c.name, e.MaxBodySize, s.Problems, diff)
		}
	}
}

// A tenant and a fleet of one name and empty specs are different contents.
func TestKindsHaveDigestsOfTheirOwn(t *testing.T) {
	tenant := gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "x"}}}}, 1)
	fleet := gateway.Build(gateway.Inputs{Fleets: []*gateway.Fleet{{Meta: gateway.Meta{Kind: gateway.KindFleet, Name: "x"}}}}, 1)
	if tenant.Digest == fleet.Digest {
		t.Errorf("both have %s", tenant.Digest)
	}
}
