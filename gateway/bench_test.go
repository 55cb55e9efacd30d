package gateway_test

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// city is a large installation: 100 tenants with 100 hosts and routes each, and 1,000
// upstreams of 10 endpoints.
func city() gateway.Inputs {
	in := gateway.Inputs{Policies: []*gateway.Policy{policy("p", 60*second, 1<<30)}}
	for t := range 100 {
		name := fmt.Sprintf("t%02d", t)
		owner := tenant(int64(t+1), name)
		for n := range 10 {
			u := upstream(name, fmt.Sprint("u", n))
			s := set(u.Key(), gateway.SourceManual, "")
			for e := range 10 {
				s.Endpoints = append(s.Endpoints, gateway.SourceEndpoint{Address: fmt.Sprintf("10.%d.%d.%d:80", t, n, e), Weight: 1})
			}
			in.Upstreams, in.Sets = append(in.Upstreams, u), append(in.Sets, s)
		}
		for h := range 100 {
			host := fmt.Sprintf("h%02d.%s.test", h, name)
			owner.Spec.Hosts = append(owner.Spec.Hosts, host)
			in.Routes = append(in.Routes, route(int64(1000+100*t+h), name, fmt.Sprint("r", h), host, "/", fmt.Sprint("u", h%10)))
		}
		in.Tenants = append(in.Tenants, owner)
	}
	return in
}

// checkedCity fails a benchmark that would measure refusals.
func checkedCity(b *testing.B) (gateway.Inputs, *gateway.Snapshot) {
	b.Helper()
	in := city()
	s := gateway.Build(in, 1)
	if len(s.Problems) != 0 || len(s.Hosts) != 10_000 || len(s.Upstreams) != 1000 {
		b.Fatalf("%d hosts, %d upstreams, problems %v", len(s.Hosts), len(s.Upstreams), problemLines(s))
	}
	return in, s
}

func BenchmarkBuild10000Hosts(b *testing.B) {
	in, _ := checkedCity(b)
	b.ReportAllocs()
	for b.Loop() {
		gateway.Build(in, 1)
	}
}

// Every input but one route is as before.
func BenchmarkBuildAfterARoute(b *testing.B) {
	in, s := checkedCity(b)
	in.Before = s
	changed := *in.Routes[77]
	changed.Spec.Timeout = second
	in.Routes[77] = &changed
	b.ReportAllocs()
	for b.Loop() {
		gateway.Build(in, 2)
	}
}

func BenchmarkReplaceUpstreams(b *testing.B) {
	in, s := checkedCity(b)
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d of 1000", n), func(b *testing.B) {
			var turns [2][]gateway.Replacement // each takes back the one before
			for i := range n {
				turns[0] = append(turns[0], gateway.Replacement{Upstream: in.Upstreams[i]})
				turns[1] = append(turns[1], gateway.Replacement{Upstream: in.Upstreams[i], Sets: in.Sets[i : i+1]})
			}
			b.ReportAllocs()
			for turn := 0; b.Loop(); turn++ {
				s = gateway.ReplaceUpstreams(s, turns[turn%2], 2)
			}
		})
	}
}
