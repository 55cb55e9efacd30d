package health

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// judgeService says whether the upstream is bad as a whole. It is when every endpoint in
// rotation has a row of gateway errors behind it, or when the share of errors of all of them
// together is as large as would eject one, or when probes have taken down all. It is good
// again when neither is so, and the share is below half of the limit.
func (t *Tracker) judgeService(now time.Time) {
	rule, reason := t.serviceTrouble(now)
	switch {
	case rule != "" && !t.serviceBad():
		t.service = &gateway.ServiceVerdict{Bad: true, Since: now, Rule: rule, Reason: reason}
		t.tell(gateway.HealthEvent{At: now, Kind: gateway.EventServiceBad, Rule: rule, Reason: reason})
	case rule == "" && t.serviceBad() && t.recovered(now):
		reason := fmt.Sprintf("no longer so, after %s", now.Sub(t.service.Since).Round(time.Second))
		t.service = &gateway.ServiceVerdict{Since: now, Rule: RuleServiceRecovered, Reason: reason}
		t.tell(gateway.HealthEvent{At: now, Kind: gateway.EventServiceGood, Rule: RuleServiceRecovered, Reason: reason})
	}
}

func (t *Tracker) serviceBad() bool { return t.service != nil && t.service.Bad }

// serviceTrouble names the rule by which the service is bad, or none.
func (t *Tracker) serviceTrouble(now time.Time) (rule, reason string) {
	in, out, awaited, rows, least := 0, 0, 0, 0, math.MaxInt
	limit := math.MaxInt
	if t.check.Passive != nil {
		limit = t.check.Passive.ConsecutiveGatewayErrors
	}
	for _, e := range t.endpoints {
		switch {
		case !e.eligible:
		case !e.inRotation() && e.awaited():
			awaited++
		case !e.inRotation():
			out++
		default:
			in++
			if e.passive.row >= limit && now.Sub(e.passive.lastError) < t.check.Passive.Window.Std() {
				rows++
			}
			least = min(least, e.passive.row)
		}
	}
	switch {
	case in == 0 && awaited == 0 && out > 0:
		return RuleAllOut, fmt.Sprintf("none of %d endpoints answers", out)
	case in == 1 && rows == 1:
		return RuleAllFailing, "the only endpoint in rotation fails, with " + inARow(least, "gateway error")
	case in > 0 && rows == in:
		return RuleAllFailing, fmt.Sprintf("all %d endpoints in rotation fail, with at least %s each", in, inARow(least, "gateway error"))
	}
	if c := t.check.Passive; c != nil && t.watch != nil {
		if n := t.together(); int(n.requests) >= c.MinRequests && n.share() >= c.MaxErrorRatio {
			return RuleServiceRatio, fmt.Sprintf("%d of %d requests to all endpoints in rotation failed within %s", n.errors, n.requests, c.Window)
		}
	}
	return "", ""
}

// together is what all endpoints in rotation did in the fast window.
func (t *Tracker) together() (all tally) {
	for _, e := range t.endpoints {
		if e.inRotation() {
			all = all.plus(e.recent(false))
		}
	}
	return all
}

// recovered asks for an endpoint that is doing well, and for less than half of the share that
// makes a service bad, so that one on the edge is not told of again and again.
func (t *Tracker) recovered(now time.Time) bool {
	if !slices.ContainsFunc(t.endpoints, func(e *endpoint) bool { return e.doingWell(now) }) {
		return false
	}
	if t.check.Passive == nil || t.watch == nil {
		return true
	}
	var n tally // the newest requests, so that a recovery is not overlooked for a whole window
	for _, e := range t.endpoints {
		if r := e.window(false); r != nil && e.inRotation() {
			n = n.plus(r.newest(plentyRequests))
		}
	}
	return n.requests < tellingRequests || n.share() < t.check.Passive.MaxErrorRatio/2
}
