package gateway_test

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// Rules stand in the order of matching: exact paths first, then prefixes, longer ones first.
func TestRuleOrder(t *testing.T) {
	in := newSite()
	in.apiRoute.Spec.Match = nil
	for _, p := range []gateway.PathMatch{{Prefix: "/b"}, {Exact: "/"}, {Prefix: "/a/b/c/"}, {Exact: "/a/b"}, {Prefix: "/a"}, {Prefix: "/a/b"}, {Exact: "/a/b/"}} {
		in.apiRoute.Spec.Match = append(in.apiRoute.Spec.Match, gateway.Match{Path: p})
	}
	s := gateway.Build(in.Inputs, 1)
	var got []string
	for _, r := range s.Host("shop.test").Rules {
		got = append(got, r.Path.String()+" "+r.Route.Name)
	}
	want := []string{`exact "/a/b/" api`, `exact "/a/b" api`, `exact "/" api`, `prefix "/a/b/c" api`, `prefix "/a/b" api`, `prefix "/a" api`, `prefix "/b" api`, `prefix "/" shop`}
	if diff := gocmp.Diff(want, got); diff != "" || len(s.Problems) != 0 {
		t.Error(diff, problemLines(s))
	}
}

// A path has one normal form, and what no request can match is refused.
func TestPathSpellings(t *testing.T) {
	const chars = ": write plain ASCII path characters, without query, escapes or parameters."
	const dots = ": requests are compared after dot segments are resolved, so it could never match."
	const slashes = " holds an empty segment: requests are compared after slashes are merged, so it could never match."
	long := "/" + strings.Repeat("a", 4096)
	for _, c := range []struct {
		in        gateway.PathMatch
		want, err string
	}{
		{in: gateway.PathMatch{}, want: `prefix "/"`},
		{in: gateway.PathMatch{Prefix: "/"}, want: `prefix "/"`},
		{in: gateway.PathMatch{Prefix: "/api"}, want: `prefix "/api"`},
		{in: gateway.PathMatch{Prefix: "/api/"}, want: `prefix "/api"`},
		{in: gateway.PathMatch{Exact: "/"}, want: `exact "/"`},
		{in: gateway.PathMatch{Exact: "/api/"}, want: `exact "/api/"`},
		{in: gateway.PathMatch{Exact: "/...a/.b/c..d"}, want: `exact "/...a/.b/c..d"`},
		{in: gateway.PathMatch{Exact: "/~a!&'()*+,=:@[]"}, want: `exact "/~a!&'()*+,=:@[]"`},
		{in: gateway.PathMatch{Exact: long[:4096]}, want: `exact "` + long[:4096] + `"`},
		{in: gateway.PathMatch{Exact: long}, err: "The path is longer than 4096 bytes."},
		{in: gateway.PathMatch{Exact: "/a", Prefix: "/b"}, err: "The path has both exact and prefix: keep one of them."},
		{in: gateway.PathMatch{Exact: "api"}, err: `Path "api" does not begin with a slash.`},
		{in: gateway.PathMatch{Prefix: "api/"}, err: `Path "api/" does not begin with a slash.`},
		{in: gateway.PathMatch{Prefix: "/a?b"}, err: `Path "/a?b" holds '?'` + chars},
		{in: gateway.PathMatch{Prefix: "/a#b"}, err: `Path "/a#b" holds '#'` + chars},
		{in: gateway.PathMatch{Prefix: "/a%20"}, err: `Path "/a%20" holds '%'` + chars},
		{in: gateway.PathMatch{Prefix: "/a;b"}, err: `Path "/a;b" holds ';'` + chars},
		{in: gateway.PathMatch{Prefix: `/a\b`}, err: `Path "/a\\b" holds '\\'` + chars},
		{in: gateway.PathMatch{Prefix: `/a"`}, err: `Path "/a\"" holds '"'` + chars},
		{in: gateway.PathMatch{Prefix: "/{a"}, err: `Path "/{a" holds '{'` + chars},
		{in: gateway.PathMatch{Prefix: "/a}"}, err: `Path "/a}" holds '}'` + chars},
		{in: gateway.PathMatch{Prefix: "/$a"}, err: `Path "/$a" holds '$'` + chars},
		{in: gateway.PathMatch{Exact: "/a b"}, err: `Path "/a b" holds ' '` + chars},
		{in: gateway.PathMatch{Exact: "/a\n"}, err: `Path "/a\n" holds '\n'` + chars},
		{in: gateway.PathMatch{Exact: "/a\x7f"}, err: `Path "/a\x7f" holds '\x7f'` + chars},
		{in: gateway.PathMatch{Exact: "/é"}, err: `Path "/é" holds 'é'` + chars},
		{in: gateway.PathMatch{Exact: "/a/./b"}, err: `Path "/a/./b" holds the dot segment "."` + dots},
		{in: gateway.PathMatch{Exact: "/a/.."}, err: `Path "/a/.." holds the dot segment ".."` + dots},
		{in: gateway.PathMatch{Prefix: "/../"}, err: `Path "/../" holds the dot segment ".."` + dots},
		{in: gateway.PathMatch{Exact: "/a//b"}, err: `Path "/a//b"` + slashes},
		{in: gateway.PathMatch{Prefix: "//"}, err: `Path "//"` + slashes},
		{in: gateway.PathMatch{Prefix: "/api//"}, err: `Path "/api//"` + slashes},
	} {
		in := newSite()
		in.Routes = []*gateway.Route{in.apiRoute}
		in.apiRoute.Spec.Match = []gateway.Match{{Path: c.in}}
		s := gateway.Build(in.Inputs, 1)
		var got, problem string
		for _, r := range s.Host("shop.test").Rules {
			got += r.Path.String()
		}
		for _, p := range s.Problems {
			problem += p.Message
		}
		if got != c.want || problem != c.err {
			t.Errorf("%+v: %s, %q, want %s, %q", c.in, got, problem, c.want, c.err)
		}
	}
}

// Of two routes that claim one path the older keeps it, in whatever order they come.
func TestOlderRouteKeepsPath(t *testing.T) {
	for _, c := range []struct {
		name   string
		routes []*gateway.Route
		keeps  string
	}{
		{"older first", []*gateway.Route{route(1, "acme", "z", "shop.test", "/x", "api"), route(2, "acme", "b", "shop.test", "/x", "web")}, "z"},
		{"older last", []*gateway.Route{route(2, "acme", "b", "shop.test", "/x", "web"), route(1, "acme", "z", "shop.test", "/x/", "api")}, "z"},
		{"no revisions", []*gateway.Route{route(0, "acme", "z", "shop.test", "/x", "web"), route(0, "acme", "b", "Shop.test", "/x", "api")}, "b"},
	} {
		in := newSite()
		in.Routes, in.Overrides = c.routes, nil
		s := gateway.Build(in.Inputs, 1)
		rules := s.Host("shop.test").Rules
		if len(rules) != 1 || rules[0].Route.Name != c.keeps || len(s.Problems) != 1 || s.Problems[0].Code != "path_taken" || s.Problems[0].Object.Name == c.keeps {
			t.Errorf("%s: %+v, %v", c.name, rules, problemLines(s))
		}
	}
	// One path on two hosts, or twice in one route, clashes with nothing.
	in := newSite()
	in.apiRoute.Spec.Hosts = []string{"shop.test", "SHOP.test", "a.acme.test"}
	in.apiRoute.Spec.Match = append(in.apiRoute.Spec.Match, gateway.Match{Path: gateway.PathMatch{Prefix: "/api/"}})
	s := gateway.Build(in.Inputs, 1)
	want := changed(t, siteServing, nil, []string{`host a.acme.test of acme`,
		`a.acme.test prefix "/api" to acme/api=1, timeout 20s, body 10m, nginx "proxy_buffering off;"`})
	if diff := gocmp.Diff(want, serving(s)); diff != "" || len(s.Problems) != 0 {
		t.Error(diff, problemLines(s))
	}
}

// Targets keep their order and weights; one of weight 0 gets no requests and is no problem.
func TestTargets(t *testing.T) {
	in := newSite()
	in.shopRoute.Spec.To = []gateway.RouteTarget{{Upstream: "web", Weight: ptr(1000)}, {Upstream: "api"}, {Upstream: "web", Weight: ptr(0)}}
	s := gateway.Build(in.Inputs, 1)
	want := changed(t, siteServing, []string{`shop.test prefix "/" to acme/web=1, timeout 30s, body 10m`},
		[]string{`shop.test prefix "/" to acme/web=1000 acme/api=1, timeout 30s, body 10m`})
	if diff := gocmp.Diff(want, serving(s)); diff != "" || len(s.Problems) != 0 {
		t.Error(diff, problemLines(s))
	}
}

// A target names an upstream of the route's own tenant only.
func TestTargetsStayInTheTenant(t *testing.T) {
	in := newSite()
	in.Upstreams = append(in.Upstreams, upstream("other", "secret"))
	in.shopRoute.Spec.To = []gateway.RouteTarget{{Upstream: "secret"}, {Upstream: "other/secret"}}
	s := gateway.Build(in.Inputs, 1)
	want := []string{
		"Route acme/shop: spec.to[0].upstream: upstream_unknown, found by build",
		"Route acme/shop: spec.to[1].upstream: upstream_unknown, found by build",
	}
	if diff := gocmp.Diff(want, problemLines(s)); diff != "" {
		t.Error(diff)
	}
	if rules := s.Host("shop.test").Rules; len(rules) != 2 || rules[1].Route.Name != "shop" || len(rules[1].Route.Targets) != 0 {
		t.Errorf("rules %+v", rules)
	}
}
