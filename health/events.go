package health

import (
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Health sums the tracker up.
func (t *Tracker) Health(now time.Time) gateway.UpstreamHealth {
	h := gateway.UpstreamHealth{Upstream: t.upstream, Observer: t.observer, Service: t.Service(), Verdicts: t.Verdicts()}
	eligible, _ := t.ejected(now)
	h.Eligible = eligible
	h.Arithmetic, h.Bound = "passive judgement is off", gateway.BoundOff
	if t.check.Fails != nil {
		h.Arithmetic, h.Bound = "failures are counted, and all but one may be out", gateway.BoundFails
		h.MayEject = max(0, eligible-1)
	}
	if c := t.check.Passive; c != nil {
		h.MayEject, h.Shadow = ejectionCap(eligible, c.MaxEjectedPercent), c.Shadow
		h.Arithmetic, h.Bound = capArithmetic(eligible, c.MaxEjectedPercent)
	}
	for _, e := range t.endpoints {
		if e.failedOut() || e.passive.phase == ejected {
			h.Ejected++
		}
		if e.passive.shadowed(now) {
			h.WouldBeEjected = append(h.WouldBeEjected, e.key.Address)
		}
	}
	return h
}

// note records the endpoint's verdict if it has changed.
func (t *Tracker) note(e *endpoint) {
	v, from := e.verdict(), e.last
	if v.State == from.State && v.Since.Equal(from.Since) && v.Rule == from.Rule {
		return
	}
	e.last = v
	t.changed = append(t.changed, *v)
	if kind := eventKind(from, v); kind != "" {
		t.tellOf(kind, from.State, v, false)
	}
}

// tellOf adds an event of an endpoint.
func (t *Tracker) tellOf(kind gateway.EventKind, from gateway.HealthState, v *gateway.Verdict, shadow bool) {
	t.tell(gateway.HealthEvent{At: t.now, Kind: kind, Address: v.Address, From: from, Rule: v.Rule, Reason: v.Reason, Shadow: shadow, Verdict: v})
}

// eventKind names a transition; nothing for one that is of no interest: that a newcomer is
// well happens to every endpoint at every start.
func eventKind(from, to *gateway.Verdict) gateway.EventKind {
	switch {
	case to.Rule == RuleByHand:
		return gateway.EventPinned
	case from.Rule == RuleByHand && to.Rule != RuleRemoved:
		return gateway.EventUnpinned
	case to.Rule == RuleFirstSuccess:
		return ""
	}
	switch to.State {
	case gateway.StateEjected:
		return gateway.EventEjected
	case gateway.StateProbation:
		return gateway.EventProbation
	case gateway.StateDown:
		return gateway.EventDown
	case gateway.StateHealthy:
		return gateway.EventReturned
	}
	return gateway.EventForgotten
}

// tell adds an event of the upstream.
func (t *Tracker) tell(e gateway.HealthEvent) {
	e.Upstream, e.Observer = t.upstream, t.observer
	t.events = append(t.events, e)
}
