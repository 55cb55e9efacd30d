package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestConditionsNormalForm(t *testing.T) {
	many := make([]gateway.QueryMatch, 17)
	for i := range many {
		many[i] = gateway.QueryMatch{Name: fmt.Sprint("p", i), Exact: "x"}
	}
	type c = gateway.Conditions
	for name, w := range map[string]struct {
		in, want c
		problem  string // its field; "" is none
	}{
		"sorted":           {in: c{Methods: []string{"POST", "GET", "POST"}, Headers: []gateway.HeaderMatch{{Name: "X-B", Present: true}, {Name: "X-A", Exact: "1"}}, Query: []gateway.QueryMatch{{Name: "b", Exact: "1"}, {Name: "a"}}}, want: c{Methods: []string{"GET", "POST"}, Headers: []gateway.HeaderMatch{{Name: "x-a", Exact: "1"}, {Name: "x-b", Present: true}}, Query: []gateway.QueryMatch{{Name: "a"}, {Name: "b", Exact: "1"}}}},
		"a method":         {in: c{Methods: []string{"get"}}, problem: ".methods[0]"},
		"no method":        {in: c{Methods: []string{"GET", ""}}, problem: ".methods[1]"},
		"the host":         {in: c{Headers: []gateway.HeaderMatch{{Name: "Host", Exact: "x"}}}, problem: ".headers[0]"},
		"no token":         {in: c{Headers: []gateway.HeaderMatch{{Name: "x y", Exact: "x"}}}, problem: ".headers[0]"},
		"neither":          {in: c{Headers: []gateway.HeaderMatch{{Name: "x"}}}, problem: ".headers[0]"},
		"both":             {in: c{Headers: []gateway.HeaderMatch{{Name: "x", Exact: "1", Present: true}}}, problem: ".headers[0]"},
		"a header twice":   {in: c{Headers: []gateway.HeaderMatch{{Name: "x", Exact: "1"}, {Name: "X", Exact: "2"}}}, problem: ".headers[1]"},
		"a nameless one":   {in: c{Query: []gateway.QueryMatch{{Exact: "1"}}}, problem: ".query[0]"},
		"a query twice":    {in: c{Query: []gateway.QueryMatch{{Name: "a"}, {Name: "a", Exact: "1"}}}, problem: ".query[1]"},
		"a long parameter": {in: c{Query: []gateway.QueryMatch{{Name: "a", Exact: strings.Repeat("x", 1024)}}}, problem: ".query[0]"},
		"too many":         {in: c{Query: many}, problem: ""},
	} {
		s := withRoute(gateway.RouteSpec{To: []gateway.RouteTarget{{Upstream: "api"}}, Match: []gateway.Match{{Conditions: w.in}}})
		if w.problem == "" && name != "too many" {
			if diff := cmp.Diff(w.want, s.Hosts[0].Rules[0].Conditions); diff != "" || len(s.Problems) > 0 {
				t.Errorf("%s: %s %v", name, diff, s.Problems)
			}
			continue
		}
		if got := fieldCodes(s); !slices.Equal(got, []string{"spec.match[0]" + w.problem + " match_invalid"}) || len(s.Hosts[0].Rules) > 0 {
			t.Errorf("%s: problems %q, rules %v", name, got, s.Hosts[0].Rules)
		}
	}
}

// Places try what is broader when conditions are not met, and nothing behind a rule without.
func TestPlaces(t *testing.T) {
	get := gateway.Conditions{Methods: []string{"GET"}}
	rule := func(name string, path gateway.PathMatch, c gateway.Conditions) gateway.Rule {
		return gateway.Rule{Path: path, Conditions: c, Route: &gateway.EffectiveRoute{Name: name}}
	}
	prefix := func(p string) gateway.PathMatch { return gateway.PathMatch{Prefix: p} }
	h := gateway.Host{Rules: []gateway.Rule{
		rule("a", gateway.PathMatch{Exact: "/x/y"}, get), rule("b", prefix("/x/y/z"), get), rule("c", prefix("/x/y"), gateway.Conditions{}), rule("d", prefix("/xy"), get),
		rule("e", prefix("/x"), get), rule("f", prefix("/x"), gateway.Conditions{}), rule("g", prefix("/"), get)}}
	var got []string
	for _, p := range h.Places() {
		line := p.Path.String() + ":"
		for _, r := range p.Rules {
			line += " " + r.Route.Name
		}
		got = append(got, line)
	}
	want := []string{`exact "/x/y": a c`, `prefix "/x/y/z": b c`, `prefix "/x/y": c`, `prefix "/xy": d g`, `prefix "/x": e f`, `prefix "/": g`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
