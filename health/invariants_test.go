package health

import (
	"maps"
	"math/rand/v2"
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
		events := make([]byte, 600)
		for i := range events {
			events[i] = byte(r.UintN(256))
		}
		w := newWalk(t)
		w.play(events)
		ejections += w.ejections
	}
	if ejections < 1000 {
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
		case op == 1:
			w.reconfigure(a, b)
		case op <= 4:
			w.now = w.now.Add(time.Duration(a) * time.Second / 4)
			w.after(w.tracker.Advance(w.now))
			if next := w.tracker.Next(); !next.IsZero() && !next.After(w.now) {
				w.t.Fatalf("advanced to %s, and Next is still %s", w.now, next)
			}
		case op <= 6:
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
			if drained&(1<<i) != 0 && drained&1 != 0 {
				e.Weight = 0
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
		w.check.Passive = &gateway.PassiveCheck{ConsecutiveGatewayErrors: 1 + int(b>>5), MaxEjectedPercent: 1 + int(b>>2&7)*14}
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
	o := gateway.Outcome{At: w.now, Status: 200}
	o.Address = "e" + strconv.Itoa(int(a&7))
	if b&3 != 0 {
		o.Status = 503
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
		if v.Rule == RuleConsecutiveErrors || v.Rule == RuleProbationFailed {
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

// checkLast: unless probes have taken down every endpoint that may get requests, one of
// them is in rotation.
func (w *walk) checkLast() {
	alive, serving := 0, 0
	for _, e := range w.tracker.endpoints {
		if e.eligible && !e.active.down {
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
