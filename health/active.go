package health

import (
	"reflect"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// active is what probes say about one endpoint.
type active struct {
	// expected: it is new and down until its first success, which is enough.
	expected            bool
	down                bool
	successes, failures int              // in a row; one of them is 0
	verdict             *gateway.Verdict // while down
	newest              pulse
}

// observe counts one probe and names the rule that it completed, or returns "".
func (a *active) observe(ok bool, c *gateway.ActiveCheck) (rule string) {
	if ok {
		a.successes, a.failures = a.successes+1, 0
		if a.down && (a.successes >= c.Rise || a.expected) {
			a.down, a.expected = false, false
			return RuleActiveRise
		}
		return ""
	}
	a.successes, a.failures = 0, a.failures+1
	if !a.down && a.failures >= c.Fall || a.expected && a.failures == c.Fall {
		a.down = true // one that was expected is known to be down now, and still needs one success only
		return RuleActiveFall
	}
	return ""
}

// awaited says that the endpoint is out only because probes have not decided yet. That is how a
// new one begins where the check says so, and no trouble.
func (e *endpoint) awaited() bool { return e.active.down && e.active.verdict.Rule == RuleInitial }

// misses says that endpoints are out, and none because it is awaited.
func (t *Tracker) misses() bool {
	return slices.ContainsFunc(t.endpoints, func(e *endpoint) bool { return e.eligible && !e.inRotation() }) &&
		!slices.ContainsFunc(t.endpoints, (*endpoint).awaited)
}

// unsettled says that the last probes contradict the state, so the next one should come
// soon.
func (a *active) unsettled() bool {
	return a.down && a.successes > 0 || !a.down && a.failures > 0
}

// probed keeps a sample of a probe as evidence. Of many successes in a row only the first and
// the newest stay: the others say no more, would push out what came before them, and are
// most of what fifty thousand healthy endpoints would hold.
func (e *endpoint) probed(s gateway.Sample) {
	n := len(e.samples)
	if n >= 2 && isSuccess(s) && isSuccess(e.samples[n-1]) && isSuccess(e.samples[n-2]) {
		e.samples[n-1] = s
		return
	}
	e.sample(s)
}

func isSuccess(s gateway.Sample) bool { return s.Kind == "probe" && s.Error == "" }

// expect takes new endpoints out until a probe succeeds, if the check wants that. Endpoints
// that were there before it did are not touched: a change of a check is no reason to stop
// serving.
func (t *Tracker) expect(now time.Time) {
	for _, e := range t.endpoints {
		if !e.met && t.check.Active != nil && t.check.Active.Initial == "down" {
			e.active.down, e.active.expected = true, true
			e.active.verdict = e.describe(now, t.observer, gateway.StateDown, RuleInitial, "no probe has succeeded yet")
			t.note(e)
		}
		e.met = true
	}
}

// sameQuestion says whether two active checks ask the same of an endpoint. How often they
// ask and how many answers they need does not matter: a person who changes the interval
// must not put a dead endpoint back into rotation. Nor does what is thought of new endpoints.
func sameQuestion(a, b *gateway.ActiveCheck) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.Interval, x.Rise, x.Fall, x.Initial = y.Interval, y.Rise, y.Fall, y.Initial
	return reflect.DeepEqual(x, y)
}
