package health

import (
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

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
		e.cell.answered(&o)
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
	if t.isOlderNews(e, &o) {
		if p.status, p.failure = o.Status, o.Failure; t.hasRelief(now, e) && t.mayEject(now, e) {
			t.judgeShare(now, e)
		}
		return
	}
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
