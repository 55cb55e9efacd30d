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
	e.active, e.passive, e.samples, e.byHand = active{}, passive{}, nil, nil
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

// judgeRequest judges an endpoint by one more outcome.
func (t *Tracker) judgeRequest(now time.Time, e *endpoint, o gateway.Outcome) {
	if isServerError(&o) {
		t.failed(now, e, isGatewayError(&o)) // first: it may begin the windows
	}
	e.cell.answers.Add(1)
	switch {
	case isGatewayError(&o):
		t.requestFailed(now, e, o)
	case isServerError(&o) && e.passive.phase == probation && e.passive.byShare:
		e.passive.status, e.passive.failure, e.passive.trials = o.Status, "", 0
		if t.hasRelief(now, e) {
			t.judgeErrors(now, e)
		}
	default:
		if l := e.cell.latency.Load(); l != nil && !isServerError(&o) {
			l.observe(o.Latency)
		}
		t.requestSucceeded(now, e)
		if isServerError(&o) && e.passive.phase == trusted && t.hasRelief(now, e) && t.mayEject(now, e) {
			e.passive.status, e.passive.failure = o.Status, ""
			t.judgeShare(now, e)
		}
		if t.serviceBad() {
			t.judgeService(now)
		}
	}
}

func (t *Tracker) requestFailed(now time.Time, e *endpoint, o gateway.Outcome) {
	p, c := &e.passive, t.check.Passive
	p.failing, p.lastError, p.status, p.failure = true, now, o.Status, o.Failure
	p.trials = 0
	p.row++
	// An error counts only beside a sibling that is doing well. If those of an outage of
	// the whole service counted, then at its end the first good answer of one endpoint
	// would have all the others ejected.
	if t.hasRelief(now, e) {
		p.errors++
		t.judgeErrors(now, e)
	}
	if p.row >= c.ConsecutiveGatewayErrors && !t.serviceBad() {
		t.judgeService(now)
	}
}

// judgeErrors ejects the endpoint if it is bad compared with its siblings. Without room the
// row stands, and the next error asks again.
func (t *Tracker) judgeErrors(now time.Time, e *endpoint) {
	p := &e.passive
	last := failureText(p.status, p.failure)
	switch {
	case !t.mayEject(now, e):
	case p.phase == probation:
		if t.siblingsAreBetter(e) {
			t.eject(now, e, RuleProbationFailed, "a trial request failed: "+last, nil)
		}
	case p.errors >= t.check.Passive.ConsecutiveGatewayErrors && t.siblingsAreBetter(e):
		counts := t.counts(e, false)
		counts.InARow = p.errors
		t.eject(now, e, RuleConsecutiveErrors, inARow(p.errors, "gateway error")+", last: "+last, counts)
	default:
		t.judgeShare(now, e)
	}
}

// judgeShare ejects an endpoint that answers some requests and loses too many, compared with
// its siblings: within the window, or, of those that the gateway could not serve, in the long
// run.
func (t *Tracker) judgeShare(now time.Time, e *endpoint) {
	c := t.check.Passive
	for _, slow := range []bool{false, true} {
		least, limit, rule, window := c.MinRequests, c.MaxErrorRatio, RuleErrorRatio, c.Window
		if slow {
			least, limit, rule, window = c.SlowMinRequests, c.SlowMaxErrorRatio, RuleSlowErrors, gateway.Duration(slowWindow)
		}
		n := e.recent(slow)
		if int(n.requests) < least || n.share() < limit {
			continue
		}
		counts := t.counts(e, slow)
		if n.share() < timesSiblings*counts.SiblingsMedian {
			continue
		}
		e.passive.byShare = e.passive.byShare || !slow
		t.eject(now, e, rule, fmt.Sprintf("%d of %d requests failed within %s, last: %s; the median sibling lost %.0f %%",
			n.errors, n.requests, window, failureText(e.passive.status, e.passive.failure), 100*counts.SiblingsMedian), counts)
		return
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
	e.watched()
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
