package health

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// S25: whatever fails in whichever order, counting never takes the last one out, and who is out
// is back after its time.
func TestS25NeverTheLast(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 25))
		names := []string{"e1", "e2", "e3", "e4"}[:2+rnd.IntN(3)]
		var endpoints []gateway.Endpoint
		for _, name := range names {
			endpoints = append(endpoints, gateway.Endpoint{Address: name, Weight: 1, Priority: rnd.IntN(2),
				Fails: gateway.FailLimit{Max: rnd.IntN(3), Timeout: gateway.Duration(time.Duration(1+rnd.IntN(5)) * time.Second)}})
		}
		tracker := NewTracker(gateway.UpstreamKey{Tenant: "acme", Name: "api"}, "edge-1", rnd.Float64)
		now := start
		tracker.Configure(now, gateway.EffectiveCheck{Fails: &gateway.FailCheck{Max: 1 + rnd.IntN(3), Timeout: gateway.Duration(2 * time.Second), Statuses: []string{"502"}}}, endpoints)
		for range 500 {
			now = now.Add(time.Duration(rnd.IntN(800)) * time.Millisecond)
			tracker.Advance(now)
			o := gateway.Outcome{At: now, Status: []int{200, 502, 502, 502}[rnd.IntN(4)]}
			o.Address = names[rnd.IntN(len(names))]
			tracker.Request(now, o)
			in := 0
			for _, v := range tracker.Verdicts() {
				switch {
				case v.State != gateway.StateEjected:
					in++
				case !v.Until.After(now) || v.Until.Sub(v.Since) > 5*time.Second:
					t.Fatalf("seed %d: %s is out at %s from %s until %s", seed, v.Address, now.Sub(start), v.Since.Sub(start), v.Until.Sub(start))
				}
			}
			if in == 0 {
				t.Fatalf("seed %d: all of %d are out", seed, len(names))
			}
		}
	}
}

// Statuses below 500 are looked at where they are declared: successes are counted past the
// tracker otherwise.
func TestLowStatusesAreSeen(t *testing.T) {
	h := New(Config{Node: "edge-1"})
	u := effective(gateway.EffectiveCheck{Fails: &gateway.FailCheck{Max: 2, Timeout: gateway.Duration(time.Minute), Statuses: []string{"404"}}}, "e1", "e2")
	h.Apply(snapshot(u))
	observe(h, "e1", 200, 3)
	observe(h, "e1", 404, 2)
	if v, ok := h.Verdict(gateway.EndpointKey{Upstream: u.Key, Address: "e1"}); !ok || v.State != gateway.StateEjected || v.Rule != RuleMaxFails {
		t.Errorf("%+v", v)
	}
}
