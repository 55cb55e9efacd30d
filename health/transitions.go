package health

import (
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// add makes an unknown endpoint. That is no transition: nobody has heard of it before.
func (t *Tracker) add(now time.Time, address string) *endpoint {
	e := &endpoint{key: gateway.EndpointKey{Upstream: t.upstream, Address: address}}
	e.fine = e.describe(now, t.observer, gateway.StateUnknown, RuleAdded, "nothing observed yet")
	e.last = e.fine
	return e
}

func (t *Tracker) forget(now time.Time, e *endpoint) {
	if e.last.State == gateway.StateUnknown {
		return
	}
	e.active, e.passive, e.samples = active{}, passive{}, nil
	e.fine = e.describe(now, t.observer, gateway.StateUnknown, RuleRemoved, "no longer an endpoint of this upstream")
	t.note(e)
}

// restart drops what a check has decided if the check is another one now.
func (t *Tracker) restart(now time.Time, check gateway.EffectiveCheck) {
	anewActive := !sameQuestion(t.check.Active, check.Active)
	anewPassive := (t.check.Passive == nil) != (check.Passive == nil) ||
		check.Passive != nil && *t.check.Passive != *check.Passive
	for _, e := range t.endpoints {
		wasOut := e.verdict().State
		if anewActive {
			e.active = active{}
		}
		if anewPassive {
			e.passive = passive{calmSince: now}
		}
		if e.verdict().State != wasOut {
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

func (t *Tracker) requestFailed(now time.Time, e *endpoint, o gateway.Outcome) {
	p, c := &e.passive, t.check.Passive
	if c == nil {
		return
	}
	p.failing, p.lastError, p.status, p.failure = true, now, o.Status, o.Failure
	p.trials = 0
	// An error counts only beside a sibling that is doing well. If those of an outage of
	// the whole service counted, then at its end the first good answer of one endpoint
	// would have all the others ejected.
	if !t.hasRelief(now, e) {
		return
	}
	p.errors++
	// Without room the row stands, and the next error asks again. An endpoint that takes no
	// new requests, or that probes have taken down, need not be ejected.
	if p.wantsEjection(c) && e.eligible && !e.active.down && t.hasRoom() {
		t.eject(now, e)
	}
}

func (t *Tracker) requestSucceeded(now time.Time, e *endpoint) {
	t.succeeded(now, e, "a request succeeded")
	p := &e.passive
	p.clear()
	if p.phase == probation {
		if p.trials++; p.trials >= trialSuccesses {
			p.trust(now)
			e.fine = e.describe(now, t.observer, gateway.StateHealthy, RuleProbationPassed, inARow(trialSuccesses, "trial request")+" succeeded")
		}
	}
	t.note(e)
}

// eject takes the endpoint out.
func (t *Tracker) eject(now time.Time, e *endpoint) {
	last := failureText(e.passive.status, e.passive.failure)
	rule, reason := RuleConsecutiveErrors, inARow(e.passive.errors, "gateway error")+", last: "+last
	if e.passive.phase == probation {
		rule, reason = RuleProbationFailed, "a trial request failed: "+last
	}
	until := e.passive.eject(now, t.check.Passive.BaseEjection.Std(), t.jitter())
	if n := e.passive.ejections; n > 1 {
		reason += fmt.Sprintf(" (ejection %d in a row)", n)
	}
	if t.ejections == nil {
		t.ejections = map[string]uint64{}
	}
	t.ejections[rule]++
	e.passive.verdict = e.describe(now, t.observer, gateway.StateEjected, rule, reason)
	e.passive.verdict.Until = until
	t.note(e)
}

func (t *Tracker) startProbation(now time.Time, e *endpoint, rule, reason string) {
	e.passive.enterProbation()
	e.passive.verdict = e.describe(now, t.observer, gateway.StateProbation, rule, reason)
	t.note(e)
}
