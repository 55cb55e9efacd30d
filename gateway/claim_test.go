package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// The most specific claim owns a host, so a broad wildcard and "*" are safe to give away.
func TestClaims(t *testing.T) {
	in := gateway.Inputs{Tenants: []*gateway.Tenant{
		tenant(1, "wide", "*.example.com", "*"),
		tenant(2, "exact", "shop.example.com", "example.com"),
		tenant(3, "deep", "*.eu.example.com"),
	}}
	for _, c := range []struct{ host, owner string }{
		{"shop.example.com", "exact"},
		{"SHOP.example.com.", "exact"},
		{"example.com", "exact"},
		{"*.example.com", "wide"},
		{"www.example.com", "wide"},
		{"a.shop.example.com", "wide"}, // an exact claim takes no names below it
		{"*.shop.example.com", "wide"},
		{"eu.example.com", "wide"}, // a wildcard does not take its own stem
		{"a.eu.example.com", "deep"},
		{"a.b.eu.example.com", "deep"},
		{"*.eu.example.com", "deep"},
		{"*.b.eu.example.com", "deep"},
		{"anything.test", "wide"},
		{"*.test", "wide"},
		{"localhost", "wide"},
		{"*", "wide"},
		{"xexample.com", "wide"},
	} {
		for _, asker := range []string{"wide", "exact", "deep"} {
			in.Upstreams = []*gateway.Upstream{upstream(asker, "u")}
			in.Routes = []*gateway.Route{route(9, asker, "r", c.host, "/", "u")}
			s := gateway.Build(in, 1)
			name, err := gateway.NormalHost(c.host)
			if err != nil {
				t.Fatal(err)
			}
			if asker == c.owner {
				if h := s.Host(name); h == nil || h.Tenant != asker || len(h.Rules) != 1 || len(s.Problems) != 0 {
					t.Errorf("%s of %s: %+v, %v", c.host, asker, h, problemLines(s))
				}
				continue
			}
			want := []string{"Route " + asker + "/r: spec.hosts[0]: host_not_owned, found by build"}
			if diff := gocmp.Diff(want, problemLines(s)); diff != "" {
				t.Errorf("%s of %s: %s", c.host, asker, diff)
			}
			for _, h := range s.Hosts {
				if len(h.Rules) != 0 {
					t.Errorf("%s of %s is served at %s", c.host, asker, h.Name)
				}
			}
		}
	}
}

// Of equal claims the older tenant keeps the host, in whatever order and spelling they come;
// without revisions the name decides. When it lets go, the next one gets it.
func TestEqualClaims(t *testing.T) {
	for _, c := range []struct {
		name    string
		tenants []*gateway.Tenant
		owner   string
		taken   []string
	}{
		{"older first", []*gateway.Tenant{tenant(1, "z", "a.test"), tenant(2, "b", "a.test")}, "z", []string{"Tenant b"}},
		{"older last", []*gateway.Tenant{tenant(2, "b", "a.test"), tenant(1, "z", "a.test")}, "z", []string{"Tenant b"}},
		{"other spelling", []*gateway.Tenant{tenant(2, "b", "A.Test."), tenant(1, "z", "a.test")}, "z", []string{"Tenant b"}},
		{"no revisions", []*gateway.Tenant{tenant(0, "z", "a.test"), tenant(0, "b", "a.test")}, "b", []string{"Tenant z"}},
		{"three", []*gateway.Tenant{tenant(3, "a", "a.test"), tenant(2, "b", "a.test"), tenant(1, "c", "a.test")}, "c", []string{"Tenant a", "Tenant b"}},
		{"wildcards", []*gateway.Tenant{tenant(2, "b", "*.test"), tenant(1, "z", "*.Test")}, "z", []string{"Tenant b"}},
		{"everything", []*gateway.Tenant{tenant(2, "b", "*"), tenant(1, "z", "*")}, "z", []string{"Tenant b"}},
		{"the same tenant twice", []*gateway.Tenant{tenant(1, "z", "a.test", "A.test")}, "z", nil},
		{"the other is gone", []*gateway.Tenant{tenant(2, "b", "a.test")}, "b", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := gateway.Build(gateway.Inputs{Tenants: c.tenants}, 1)
			if len(s.Hosts) != 1 || s.Hosts[0].Tenant != c.owner {
				t.Errorf("hosts %+v, want one of %s", s.Hosts, c.owner)
			}
			var taken []string
			for _, p := range s.Problems {
				if p.Code != "host_taken" || p.Field != "spec.hosts[0]" {
					t.Errorf("problem %+v", p)
				}
				taken = append(taken, p.Object.String())
			}
			if diff := gocmp.Diff(c.taken, taken); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Random claims and hosts against a reference that tries every claim.
func TestClaimsAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	host := func() string {
		labels := make([]string, 1+r.IntN(4))
		for i := range labels {
			labels[i] = string(rune('a' + r.IntN(2)))
		}
		h := strings.Join(labels, ".")
		switch r.IntN(6) {
		case 0, 1:
			return "*." + h
		case 2:
			return "*"
		}
		return h
	}
	served, refused := 0, 0
	for range 2000 {
		claims := map[string]string{}
		var in gateway.Inputs
		for i := range 4 {
			t := tenant(int64(i+1), fmt.Sprint("t", i), host(), host())
			for _, h := range t.Spec.Hosts {
				if _, taken := claims[h]; !taken {
					claims[h] = t.Name
				}
			}
			in.Tenants = append(in.Tenants, t)
		}
		asked := host()
		owner := claims[closest(claims, asked)]
		in.Routes = []*gateway.Route{route(9, "t0", "r", asked, "/", "u")}
		shuffle(r, in.Tenants)
		s := gateway.Build(in, 1)
		live := slices.ContainsFunc(s.Hosts, func(h *gateway.Host) bool { return h.Name == asked && len(h.Rules) == 1 })
		if live != (owner == "t0") {
			t.Fatalf("claims %v: route of t0 on %s is live: %v", claims, asked, live)
		}
		if live {
			served++
		} else {
			refused++
		}
		request := strings.ReplaceAll(host(), "*", "x")
		entries := map[string]string{}
		for _, h := range s.Hosts {
			entries[h.Name] = h.Tenant
		}
		got := ""
		if h := s.Lookup(request); h != nil {
			got = h.Name
		}
		if want := closest(entries, request); got != want {
			t.Fatalf("entries %v: %s is served by %q, want %q", entries, request, got, want)
		}
	}
	if served < 100 || refused < 100 {
		t.Errorf("%d served and %d refused: the test needs both", served, refused)
	}
}

// closest is the most specific of the names that cover host, or "".
func closest(names map[string]string, host string) string {
	best := ""
	for n := range names {
		covers := n == host || n == "*" || strings.HasPrefix(n, "*.") && strings.HasSuffix(host, n[1:])
		if covers && (n == host || best != host && len(n) > len(best)) {
			best = n
		}
	}
	return best
}
