package gateway_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// Every list of a snapshot is sorted, and the lookups find each of its entries.
func TestSnapshotIsSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		in := world(r)
		for i := range 3 {
			in.Fleets = append(in.Fleets, &gateway.Fleet{Meta: meta(gateway.KindFleet, "", fmt.Sprint("f", r.IntN(100), "-", i))})
		}
		shuffle(r, in.Tenants)
		shuffle(r, in.Upstreams)
		s := gateway.Build(in, 1)
		isSorted(t, "tenants", s.Tenants, func(x, y *gateway.Tenant) int { return cmp.Compare(x.Name, y.Name) })
		isSorted(t, "fleets", s.Fleets, func(x, y *gateway.Fleet) int { return cmp.Compare(x.Name, y.Name) })
		isSorted(t, "hosts", s.Hosts, func(x, y *gateway.Host) int { return cmp.Compare(x.Name, y.Name) })
		isSorted(t, "upstreams", s.Upstreams, func(x, y *gateway.EffectiveUpstream) int { return x.Key.Compare(y.Key) })
		isSorted(t, "problems", s.Problems, gateway.Problem.Compare)
		for _, h := range s.Hosts {
			if s.Host(h.Name) != h || s.Lookup(h.Name) != h {
				t.Errorf("host %s is not found", h.Name)
			}
		}
		for _, u := range s.Upstreams {
			isSorted(t, "endpoints", u.Endpoints, func(x, y gateway.Endpoint) int { return cmp.Compare(x.Address, y.Address) })
			if s.Upstream(u.Key) != u {
				t.Errorf("upstream %s is not found", u.Key)
			}
		}
		if s.Host("nosuch.example") != nil || s.Upstream(gateway.UpstreamKey{Tenant: "t0", Name: "nosuch"}) != nil {
			t.Error("found what does not exist")
		}
	}
}

func isSorted[E any](t *testing.T, what string, list []E, compare func(x, y E) int) {
	t.Helper()
	if !slices.IsSortedFunc(list, compare) {
		t.Errorf("%s are not sorted: %v", what, list)
	}
}
