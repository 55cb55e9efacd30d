package health

import (
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// add makes an unknown endpoint. That is no transition: nobody has heard of it before.
func (t *Tracker) add(now time.Time, address string) *endpoint {
	e := &endpoint{key: gateway.EndpointKey{Upstream: t.upstream, Address: address}, cell: new(cell)}
	if t.watch != nil {
		e.watched()
	}
	e.fine = e.describe(now, t.observer, gateway.StateUnknown, RuleAdded, "nothing observed yet")
	e.last = e.fine
	return e
}

func (t *Tracker) forget(now time.Time, e *endpoint) {
	if e.last.State == gateway.StateUnknown {
		return
	}
	e.active, e.passive, e.fails, e.samples, e.byHand = active{}, passive{}, nil, nil, nil
	e.fine = e.describe(now, t.observer, gateway.StateUnknown, RuleRemoved, "no longer an endpoint of this upstream")
	t.note(e)
}

// restart drops what a check has decided if the check is another one now.
func (t *Tracker) restart(now time.Time, check gateway.EffectiveCheck) {
	anewActive := !sameQuestion(t.check.Active, check.Active)
	anewPassive := (t.check.Passive == nil) != (check.Passive == nil) ||
		check.Passive != nil && *t.check.Passive != *check.Passive
	if anewPassive {
		t.watch, t.latencyAt = nil, time.Time{}
	}
	for _, e := range t.endpoints {
		wasOut := e.verdict().State
		if anewActive {
			e.active = active{}
		}
		if anewPassive {
			e.passive, e.windows = passive{calmSince: now}, nil
		}
		if e.byHand == nil && e.verdict().State != wasOut {
			e.fine = e.describe(now, t.observer, gateway.StateUnknown, RuleCheckChanged, "the check that judged it "+string(wasOut)+" has changed")
		}
		t.note(e)
	}
}

// succeeded makes an unknown endpoint healthy.
func (t *Tracker) succeeded(now time.Time, e *endpoint, reason string) {
	if e.fine.State == gateway.StateUnknown && !e.active.down {
		e.fine = e.describe(now, t.observer, gateway.StateHealthy, RuleFirstSuccess, reason)
	}
}

// risen ends the down state. The requests that failed while the endpoint was down say
// nothing about it now.
func (t *Tracker) risen(now time.Time, e *endpoint) {
	if e.passive.phase == trusted {
		e.passive.trust(now)
	}
	e.fine = e.describe(now, t.observer, gateway.StateHealthy, RuleActiveRise, inARow(e.active.successes, "probe")+" succeeded")
}

// probeOnProbation counts probes since the start of probation. The prober keeps its normal
// pace meanwhile, so that trial requests, which are the better witness, mostly come first.
func (t *Tracker) probeOnProbation(now time.Time, e *endpoint, ok bool) {
	p := &e.passive
	if p.phase != probation {
		return
	}
	if !ok {
		p.probes = 0
		return
	}
	if p.probes++; p.probes >= t.check.Active.Rise && !e.active.down {
		p.trust(now)
		e.fine = e.describe(now, t.observer, gateway.StateHealthy, RuleProbationPassed, inARow(p.probes, "probe")+" succeeded on probation")
	}
}

// isStale says that the exchange began before the endpoint's present phase, so that it
// tells nothing about it: what was in flight when an endpoint was ejected ends during the
// ejection, and a request that times out after a minute may end during probation.
func (t *Tracker) isStale(e *endpoint, o gateway.Outcome) bool {
	switch e.passive.phase {
	case ejected:
		return true
	case probation:
		return o.At.Add(-o.Latency).Before(e.passive.verdict.Since)
	}
	return false
}

// isOlderNews says that a request has been answered which began after the one that failed. Such
// an error counts in shares, but is no part of a row: timeouts are told late, and for a moment
// after the first one the proxy sends the endpoint nothing whose answer would end the row. Of 5 %
// lost connection requests (S49), five would be told in a row within seconds.
func (t *Tracker) isOlderNews(e *endpoint, o *gateway.Outcome) bool {
	return e.passive.phase == trusted && o.At.UnixNano()-int64(o.Latency) < e.cell.began.Load()
}

// setPin takes over what a person says about the endpoint, or does not say any more.
func (t *Tracker) setPin(now time.Time, e *endpoint, pin *gateway.EndpointPin) {
	was := e.pin()
	if samePin(was, pin) {
		return
	}
	e.passive.clear() // what happened meanwhile says little about the time after
	if pin != nil {
		e.byHand = &byHand{*pin, pin.Verdict(e.key, e.evidence(t.observer))}
		if e.byHand.verdict.Since.IsZero() {
			e.byHand.verdict.Since = now
		}
	} else {
		e.byHand = nil
		e.fine = e.describe(now, t.observer, e.fine.State, RuleByHandEnded, "no longer "+string(was.State)+" by hand")
	}
	t.note(e)
}

// eject takes the endpoint out, or, in shadow mode, records that it would have.
func (t *Tracker) eject(now time.Time, e *endpoint, rule, reason string, counts *gateway.Counts) {
	p, base := &e.passive, t.check.Passive.BaseEjection.Std()
	if t.ejections == nil {
		t.ejections = map[string]uint64{}
	}
	var until time.Time
	shadow := t.check.Passive.Shadow
	if shadow {
		until = p.pretend(now, base, t.jitter())
		t.ejections[rule+"_shadow"]++
	} else {
		until = p.eject(now, base, t.jitter())
		t.ejections[rule]++
	}
	if p.ejections > 1 {
		reason += fmt.Sprintf(" (ejection %d in a row)", p.ejections)
	}
	v := e.describe(now, t.observer, gateway.StateEjected, rule, reason)
	v.Until, v.Evidence.Counts = until, counts
	if t.watch != nil {
		e.watched()
	}
	if shadow {
		t.tellOf(gateway.EventEjected, e.last.State, v, true)
		return
	}
	p.verdict = v
	t.note(e)
}

func (t *Tracker) startProbation(now time.Time, e *endpoint, rule, reason string) {
	e.passive.enterProbation()
	if t.watch != nil {
		e.watched() // what was before the ejection is judged
	}
	e.passive.verdict = e.describe(now, t.observer, gateway.StateProbation, rule, reason)
	t.note(e)
}
