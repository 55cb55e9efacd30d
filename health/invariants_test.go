package health

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// FuzzTracker plays any sequence of events and checks what must hold after each.
func FuzzTracker(f *testing.F) {
	f.Add([]byte{0, 0xff, 5, 1, 9, 1, 9, 1, 9, 1, 9, 1, 9, 4, 30})
	f.Add([]byte{0, 0x07, 2, 1, 2, 0x11, 2, 0x21, 4, 200, 3, 0, 1})
	f.Fuzz(func(t *testing.T, events []byte) { newWalk(t).play(events) })
}

// TestInvariants plays random sequences in every test run; the fuzzer looks deeper.
func TestInvariants(t *testing.T) {
	ejections := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		events := make([]byte, 2400)
		for i := range events {
			events[i] = byte(r.UintN(256))
		}
		w := newWalk(t)
		w.play(events)
		ejections += w.ejections
	}
	if ejections < 500 {
		t.Errorf("the random walks saw %d ejections: they no longer reach what they should check", ejections)
	}
}

// walk drives a tracker by bytes and holds a copy of the verdicts that it was told.
type walk struct {
	t         *testing.T
	now       time.Time
	tracker   *Tracker
	check     gateway.EffectiveCheck
	endpoints []gateway.Endpoint
	told      map[string]gateway.HealthState
	ejections int
}

func newWalk(t *testing.T) *walk {
	w := &walk{t: t, now: start, told: map[string]gateway.HealthState{}}
	w.check = gateway.EffectiveCheck{
		Active:  &gateway.ActiveCheck{Fall: 2, Rise: 2},
		Passive: &gateway.PassiveCheck{ConsecutiveGatewayErrors: 2, MaxEjectedPercent: 50},
	}
	r := rand.New(rand.NewPCG(7, 7))
	w.tracker = NewTracker(gateway.UpstreamKey{Tenant: "acme", Name: "api"}, "edge-1", r.Float64)
	w.configure(0b1111, 0)
	return w
}

// play reads an operation and its arguments at a time.
func (w *walk) play(events []byte) {
	for len(events) >= 3 {
		op, a, b := events[0]%16, events[1], events[2]
		events = events[3:]
		switch {
		case op == 0:
			w.configure(a, b)
		case op == 1 && a&3 == 3: // seldom, since the passive check begins anew
			w.reconfigure(a>>2|a<<6, b)
		case op > 1 && op <= 4:
			w.now = w.now.Add(time.Duration(a) * time.Second / time.Duration([]int{4, 32, 256}[op-2]))
			w.after(w.tracker.Advance(w.now))
			if next := w.tracker.Next(); !next.IsZero() && !next.After(w.now) {
				w.t.Fatalf("advanced to %s, and Next is still %s", w.now, next)
			}
		case op > 1 && op <= 6:
			w.probe(a, b)
		default:
			w.request(a, b)
		}
	}
}

// configure chooses endpoints by the bits of set, those in drained without weight.
func (w *walk) configure(set, drained byte) {
	w.endpoints = nil
	for i := range 8 {
		if set&(1<<i) != 0 {
			e := gateway.Endpoint{Address: "e" + strconv.Itoa(i), Weight: 1}
			switch {
			case drained&(1<<i) == 0:
			case drained&1 != 0:
				e.Weight = 0
			case drained&2 != 0:
				e.Pin = &gateway.EndpointPin{State: gateway.PinStates[i%3]}
			}
			w.endpoints = append(w.endpoints, e)
		}
	}
	w.after(w.tracker.Configure(w.now, w.check, w.endpoints))
}

func (w *walk) reconfigure(a, b byte) {
	w.check = gateway.EffectiveCheck{}
	if a&3 != 0 {
		w.check.Active = &gateway.ActiveCheck{Fall: 1 + int(a>>6), Rise: 1 + int(a>>4&3), Path: []string{"/", "/x"}[a>>3&1]}
	}
	if b&3 != 0 {
		w.check.Passive = &gateway.PassiveCheck{ConsecutiveGatewayErrors: 1 + int(b>>5), MaxEjectedPercent: 1 + int(b>>2&7)*14,
			MinRequests: 4 + int(a>>5), MaxLatencyRatio: float64(a & 4), Shadow: a&0x18 == 0x18}
	}
	w.after(w.tracker.Configure(w.now, w.check, w.endpoints))
}

func (w *walk) probe(a, b byte) {
	r := Result{Status: 200}
	if b&1 != 0 {
		r = Result{Err: "connection refused"}
	}
	w.after(w.tracker.Probe(w.now, "e"+strconv.Itoa(int(a&7)), r))
}

func (w *walk) request(a, b byte) {
	o := gateway.Outcome{At: w.now, Status: 200, Latency: time.Duration(b>>4) * time.Second / 20}
	o.Address = "e" + strconv.Itoa(int(a&7))
	if bad := b&3 != 0 && a&4 == 0 || b&31 == 31; bad { // half of the endpoints are bad, half are well
		o.Status = []int{503, 500}[b>>2&1]
	}
	quiet := w.tracker.Quiet(o.Address)
	changed := w.tracker.Request(w.now, o)
	if quiet && o.Status == 200 && len(changed) > 0 {
		w.t.Fatalf("%s was quiet, and yet a success changed %v", o.Address, changed)
	}
	w.after(changed)
}

// after checks every invariant.
func (w *walk) after(changed []gateway.Verdict) {
	w.t.Helper()
	for _, v := range changed {
		w.told[v.Address] = v.State
		switch v.Rule {
		case RuleConsecutiveErrors, RuleProbationFailed, RuleErrorRatio, RuleSlowErrors, RuleLatency:
			if v.Since.Equal(w.now) {
				w.ejections++
				w.checkCap(v)
			}
		}
		if v.Rule == RuleRemoved {
			delete(w.told, v.Address)
		}
		if v.Since.After(w.now) || v.Reason == "" || v.Rule == "" || len(v.Evidence.Samples) > maxSamples {
			w.t.Fatalf("verdict without sense: %+v", v)
		}
	}
	w.checkTold()
	w.checkLast()
	w.checkEvents(changed)
	for _, e := range w.tracker.endpoints {
		if (w.tracker.watch == nil) != (e.windows == nil) {
			w.t.Fatalf("%s has windows: %v, and is watched: %v", e.key.Address, e.windows != nil, w.tracker.watch != nil)
		}
	}
}

func (w *walk) checkCap(v gateway.Verdict) {
	n, out := 0, 0
	for _, e := range w.tracker.endpoints {
		if e.eligible {
			n++
			if e.passive.phase == ejected {
				out++
			}
		}
	}
	if limit := max(1, n*w.check.Passive.MaxEjectedPercent/100); out > limit {
		w.t.Fatalf("%d of %d endpoints are ejected after %+v, the cap is %d", out, n, v, limit)
	}
	if length := v.Until.Sub(w.now); length <= 0 || length > 300*time.Second {
		w.t.Fatalf("ejected for %s: %+v", length, v)
	}
}

// checkTold compares what was told with what is so: a listener that only hears transitions
// must know everything.
func (w *walk) checkTold() {
	is := map[string]gateway.HealthState{}
	for _, v := range w.tracker.Verdicts() {
		if (v.State == gateway.StateEjected) == v.Until.IsZero() {
			w.t.Fatalf("only an ejection has an end, and each has: %+v", v)
		}
		is[v.Address] = v.State
		if _, ok := w.told[v.Address]; !ok {
			w.told[v.Address] = gateway.StateUnknown
		}
	}
	maps.DeleteFunc(w.told, func(a string, s gateway.HealthState) bool {
		_, ok := is[a]
		return !ok && s == gateway.StateUnknown
	})
	if !maps.Equal(is, w.told) {
		w.t.Fatalf("verdicts are %v, transitions told %v", is, w.told)
	}
}

// checkEvents: each transition but a newcomer's first is an event, in the same order, and
// nothing else is but what shadow mode would do.
func (w *walk) checkEvents(changed []gateway.Verdict) {
	events := slices.DeleteFunc(w.tracker.Events(), func(e gateway.HealthEvent) bool {
		if e.Shadow && (e.Verdict.State != gateway.StateEjected || !w.check.Passive.Shadow) {
			w.t.Fatalf("in shadow: %+v", e)
		}
		return e.Address == "" || e.Shadow
	})
	for _, v := range changed {
		if len(events) > 0 && events[0].Verdict.State == v.State && events[0].Address == v.Address && events[0].Rule == v.Rule {
			events = events[1:]
		} else if v.Rule != RuleFirstSuccess {
			w.t.Fatalf("no event of %+v", v)
		}
	}
	if len(events) > 0 {
		w.t.Fatalf("events of no transition: %+v", events)
	}
}

// checkLast: unless probes have taken down every endpoint that may get requests, one of
// them is in rotation.
func (w *walk) checkLast() {
	alive, serving := 0, 0
	for _, e := range w.tracker.endpoints {
		if e.eligible && (e.forcedUp() || !e.active.down) {
			alive++
			if s := e.last.State; s != gateway.StateEjected && s != gateway.StateDown {
				serving++
			}
		}
	}
	if alive > 0 && serving == 0 {
		w.t.Fatalf("%d endpoints are not down, and none is in rotation: %+v", alive, w.tracker.Verdicts())
	}
}
