package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// placesOf is what Places says, found by comparing every rule with every other one.
func placesOf(h *gateway.Host) (out []string) {
	for i := range h.Rules {
		path, line, settled := h.Rules[i].Path, "", false
		if i > 0 && h.Rules[i-1].Path == path {
			continue
		}
		for j := i; j < len(h.Rules) && !settled; j++ {
			o := h.Rules[j].Path
			rest, broader := strings.CutPrefix(path.Exact+path.Prefix, strings.TrimSuffix(o.Prefix, "/"))
			if o == path || o.Exact == "" && broader && (rest == "" || rest[0] == '/') {
				line += fmt.Sprint(" ", j)
				settled = !h.Rules[j].Any()
			}
		}
		out = append(out, path.String()+line)
	}
	return out
}

// Places of random hosts are those of the reference.
func TestPlacesAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"", "/a", "/a/b", "/a/bc", "/a/b/c", "/ab", "/b", "/b/a", "/a/", "/"}
	for range 2000 {
		h, routes := &gateway.Host{}, []*gateway.EffectiveRoute{}
		for range r.IntN(12) {
			rule := gateway.Rule{Path: gateway.PathMatch{Prefix: words[r.IntN(len(words))]}}
			if rule.Path.Prefix != "" && r.IntN(3) == 0 {
				rule.Path = gateway.PathMatch{Exact: rule.Path.Prefix}
			}
			if r.IntN(3) > 0 {
				rule.Methods = []string{"GET"}
			}
			h.Rules = append(h.Rules, rule)
		}
		slices.SortStableFunc(h.Rules, func(x, y gateway.Rule) int {
			return strings.Compare(y.Path.Exact+" "+y.Path.Prefix, x.Path.Exact+" "+x.Path.Prefix)
		})
		for i := range h.Rules {
			h.Rules[i].Route = &gateway.EffectiveRoute{}
			routes = append(routes, h.Rules[i].Route)
		}
		var got []string
		for _, p := range h.Places() {
			line := p.Path.String()
			for _, rule := range p.Rules {
				line += fmt.Sprint(" ", slices.Index(routes, rule.Route))
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(placesOf(h), got); diff != "" {
			t.Fatalf("%+v (-want +got):\n%s", h.Rules, diff)
		}
	}
}

// A host with many paths that ask for a method is built, and divided into places, in a time that
// is in proportion to them.
func TestPlacesOfManyPaths(t *testing.T) {
	s, began := newSite(), time.Now()
	const paths = 20_000
	first := s.Routes[0]
	s.Routes = nil
	for i := range paths {
		r := *first
		r.Name, r.Spec.Match = fmt.Sprint("r", i), []gateway.Match{{Path: gateway.PathMatch{Prefix: fmt.Sprint("/p", i)}, Conditions: gateway.Conditions{Methods: []string{"GET"}}}}
		s.Routes = append(s.Routes, &r)
	}
	n := 0
	for _, h := range gateway.Build(s.Inputs, 1).Hosts {
		n += len(h.Places())
	}
	t.Logf("figure places_of_many_paths_ms %d ms goal 500", time.Since(began).Milliseconds())
	if n != paths {
		t.Errorf("%d places, want %d", n, paths)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
