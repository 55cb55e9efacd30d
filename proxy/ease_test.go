package proxy

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// eased is an upstream of n endpoints, all healthy and in rotation.
func eased(n int, slowStart gateway.Duration) *gateway.EffectiveUpstream {
	u := &gateway.EffectiveUpstream{Key: gateway.UpstreamKey{Tenant: "acme", Name: "api"}, SlowStart: slowStart}
	for i := range n {
		u.Endpoints = append(u.Endpoints, gateway.Endpoint{Address: fmt.Sprintf("10.0.0.%d:80", i), Weight: 1, InRotation: true,
			Verdict: gateway.Verdict{State: gateway.StateHealthy}})
	}
	return u
}

// picks compiles the upstreams one after the other, and counts who gets how many of the turns
// at that time, in nanoseconds after the last compiling.
func picks(turns int, after int64, us ...*gateway.EffectiveUpstream) []int {
	r := newRegistry(4)
	var rot *rotation
	for _, u := range us {
		rot = newRotation(u, rot, r.endpoint)
	}
	return count(rot, turns, socket.Now()+after)
}

func count(rot *rotation, turns int, now int64) []int {
	got := make([]int, len(rot.all))
	for range turns {
		e := rot.pick(now, nil, 0)
		for i := range rot.all {
			if rot.all[i] == e {
				got[i]++
			}
		}
	}
	return got
}

const halfMinute = gateway.Duration(30e9)

// An endpoint that is back gets a tenth of its share, then more, then all.
func TestSlowStart(t *testing.T) {
	out := eased(4, halfMinute)
	out.Endpoints[0].InRotation, out.Endpoints[0].Verdict.State = false, gateway.StateEjected
	for _, c := range []struct {
		after     int64
		low, high int // of 250 turns that are its share
	}{{0, 20, 40}, {15e9, 120, 150}, {29e9, 235, 250}, {31e9, 250, 250}} {
		got := picks(1000, c.after, eased(4, halfMinute), out, eased(4, halfMinute))
		if got[0] < c.low || got[0] > c.high {
			t.Errorf("%ds after its return it gets %d of 250, want %d to %d", c.after/1e9, got[0], c.low, c.high)
		}
		if d := got[1] - got[2]; d < -15 || d > 15 {
			t.Errorf("its turns go to %v: unevenly", got)
		}
	}
}

func TestWhoStartsSlowly(t *testing.T) {
	down := func(u *gateway.EffectiveUpstream, which ...int) *gateway.EffectiveUpstream {
		for _, i := range which {
			u.Endpoints[i].InRotation, u.Endpoints[i].Verdict.State = false, gateway.StateDown
		}
		return u
	}
	panics := eased(4, halfMinute)
	panics.Panic = true
	for _, c := range []struct {
		name string
		us   []*gateway.EffectiveUpstream
		slow bool
	}{
		{"at the start of the process nobody", []*gateway.EffectiveUpstream{eased(4, halfMinute)}, false},
		{"a newcomer", []*gateway.EffectiveUpstream{down(eased(4, halfMinute), 0), eased(4, halfMinute)}, true},
		{"not when it is off", []*gateway.EffectiveUpstream{down(eased(4, 0), 0), eased(4, 0)}, false},
		{"not when nobody served before", []*gateway.EffectiveUpstream{down(eased(4, halfMinute), 0, 1, 2, 3), eased(4, halfMinute)}, false},
		{"not when most are new", []*gateway.EffectiveUpstream{down(eased(4, halfMinute), 0, 1, 2), eased(4, halfMinute)}, false},
		{"when half of them are", []*gateway.EffectiveUpstream{down(eased(4, halfMinute), 0, 1), eased(4, halfMinute)}, true},
		{"not in a panic", []*gateway.EffectiveUpstream{down(eased(4, halfMinute), 0), panics}, false},
		{"still after another change", []*gateway.EffectiveUpstream{down(eased(4, halfMinute), 0), eased(4, halfMinute), eased(4, halfMinute)}, true},
	} {
		if got := picks(400, 0, c.us...); (got[0] < 50) != c.slow {
			t.Errorf("%s: turns %v", c.name, got)
		}
	}
}

// On probation an endpoint gets few requests, however many there are, and none that was tried
// before.
func TestTrials(t *testing.T) {
	u := eased(3, halfMinute)
	u.Endpoints[0].Verdict.State = gateway.StateProbation
	rot := newRotation(u, nil, newRegistry(4).endpoint)
	now := socket.Now()
	if got := count(rot, 1000, now); got[0] != 1 {
		t.Errorf("%v at one moment, want one trial", got)
	}
	total := 0
	for ms := int64(100); ms <= 10_000; ms += 10 {
		total += count(rot, 10, now+ms*1e6)[0]
	}
	if total < 8 || total > 14 {
		t.Errorf("%d trials in 10 s of 10,000 requests, want two quick ones and then one a second", total)
	}
	for range 100 {
		if e := rot.pick(now+60e9, rot.all[1:2], 0); e == rot.all[0] {
			t.Fatal("a request that was tried before became a trial")
		}
	}
	if e := rot.pick(now, rot.all[1:], 0); e != rot.all[0] {
		t.Error("when nobody else is left, one on probation is better than none")
	}
}

// With nobody else in rotation there is nobody to keep requests from it.
func TestTrialsAlone(t *testing.T) {
	u := eased(2, halfMinute)
	for i := range u.Endpoints {
		u.Endpoints[i].Verdict.State = gateway.StateProbation
	}
	if got := picks(100, 0, u); got[0] != 50 || got[1] != 50 {
		t.Errorf("turns %v", got)
	}
}

// An endpoint whose connects have failed begins its slow start at once when it is back: a turn
// that slow start gives to another one does not use up the request that finds out.
func TestSlowStartAfterFailedConnect(t *testing.T) {
	out := eased(3, halfMinute)
	out.Endpoints[0].InRotation, out.Endpoints[0].Verdict.State = false, gateway.StateDown
	r := newRegistry(4)
	rot := newRotation(eased(3, halfMinute), nil, r.endpoint)
	rot.all[0].skipUntil.Store(socket.Now() + 1)
	rot = newRotation(eased(3, halfMinute), newRotation(out, rot, r.endpoint), r.endpoint)
	now := socket.Now() + 1e6
	if got := count(rot, 60, now); got[0] != 1 {
		t.Errorf("%d of 60 requests find out whether it takes connections, want 1", got[0])
	}
	if got := count(rot, 60, now); got[0] != 0 {
		t.Errorf("%d more go to it before that is known", got[0])
	}
	rot.all[0].skipUntil.Store(0)
	if got := count(rot, 300, now); got[0] < 5 || got[0] > 15 {
		t.Errorf("of 300 requests it gets %d, want a tenth of its share", got[0])
	}
}
