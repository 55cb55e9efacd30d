package health

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// fleet is a Health with 100 upstreams of 20 endpoints, all healthy.
func fleet() (*Health, []gateway.Outcome) {
	h := New(Config{Node: "edge-1", Log: slog.New(slog.DiscardHandler)})
	var s gateway.Snapshot
	var good []gateway.Outcome
	for i := range 100 {
		eu := effective(passiveOnly)
		eu.Key = gateway.UpstreamKey{Tenant: "acme", Name: fmt.Sprintf("api-%03d", i)}
		for j := range 20 {
			a := fmt.Sprintf("10.0.%d.%d:8080", i, j)
			eu.Endpoints = append(eu.Endpoints, gateway.Endpoint{Address: a, Weight: 1})
			good = append(good, gateway.Outcome{EndpointKey: gateway.EndpointKey{Upstream: eu.Key, Address: a},
				Status: 200, At: time.Now(), Latency: time.Millisecond})
		}
		s.Upstreams = append(s.Upstreams, eu)
	}
	h.Apply(&s)
	for _, o := range good {
		h.Observe(o)
	}
	return h, good
}

// The way of nearly every request: a success on a healthy endpoint.
func BenchmarkObserveSuccess(b *testing.B) {
	h, good := fleet()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		h.Observe(good[i%len(good)])
		i++
	}
}

func BenchmarkObserveSuccessParallel(b *testing.B) {
	h, good := fleet()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			h.Observe(good[i%len(good)])
		}
	})
}

// The worst case of a whole service: every request of an upstream fails.
func BenchmarkObserveAllBad(b *testing.B) {
	h, good := fleet()
	bad := good[:20]
	for i := range bad {
		bad[i].Status = 503
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		h.Observe(bad[i%len(bad)])
		i++
	}
}

// A snapshot that changes nothing costs a look at each upstream.
func BenchmarkApplyUnchanged(b *testing.B) {
	h, _ := fleet()
	var s gateway.Snapshot
	for _, u := range h.sorted() {
		s.Upstreams = append(s.Upstreams, u.applied)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.Apply(&s)
	}
}

// TestObserveAllocates keeps the usual way free of allocations.
func TestObserveAllocates(t *testing.T) {
	h, good := fleet()
	if n := testing.AllocsPerRun(1000, func() { h.Observe(good[77]) }); n != 0 {
		t.Errorf("a success on a healthy endpoint allocates %v times", n)
	}
}
