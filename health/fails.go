package health

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// fails counts one endpoint's failures, whatever its siblings do.
type fails struct {
	from     time.Time        // of the first failure that counts
	n        int              // since then
	verdict  *gateway.Verdict // while it is out
	back     time.Time        // when it came back last
	unproven bool             // it came back by time alone, and has not been heard of since
}

// limitOf is how many failures an endpoint may have, and in which time; 0: any number.
func limitOf(c *gateway.FailCheck, ep *gateway.Endpoint) gateway.FailLimit {
	switch {
	case c == nil:
		return gateway.FailLimit{}
	case ep.Fails != gateway.FailLimit{}:
		return gateway.FailLimit{Max: ep.Fails.Max, Timeout: cmp.Or(ep.Fails.Timeout, c.Timeout)}
	}
	return gateway.FailLimit{Max: c.Max, Timeout: c.Timeout}
}

// setLimit takes over an endpoint's limit. Another one starts anew.
func (t *Tracker) setLimit(now time.Time, e *endpoint, l gateway.FailLimit) {
	if e.limit == l {
		return
	}
	was := e.verdict()
	e.limit, e.fails = l, nil
	t.limitChanged(now, e, was)
}

// limitChanged lets an endpoint back that is out by a rule that is not in force any more.
func (t *Tracker) limitChanged(now time.Time, e *endpoint, was *gateway.Verdict) {
	if was.Rule == RuleMaxFails && e.verdict() != was {
		e.fine = e.describe(now, t.observer, gateway.StateUnknown, RuleCheckChanged, "the limit on its failures has changed")
	}
	t.note(e)
}

// restartFails forgets what was counted when what counts is something else now.
func (t *Tracker) restartFails(now time.Time, check *gateway.FailCheck) {
	if reflect.DeepEqual(t.check.Fails, check) {
		return
	}
	t.failing = failing{}
	if check != nil {
		t.failing = newFailing(check.Statuses)
	}
	for _, e := range t.endpoints {
		was := e.verdict()
		e.fails = nil
		t.limitChanged(now, e, was)
	}
}

// failing are the statuses that are failures, as pairs of the first and the last.
type failing [][2]int

func newFailing(statuses []string) (f failing) {
	for _, s := range statuses {
		if first, last, err := gateway.StatusRange(s); err == nil {
			f = append(f, [2]int{first, last})
		}
	}
	return f
}

func (f failing) has(o *gateway.Outcome) bool {
	return o.Failure != "" || slices.ContainsFunc(f, func(r [2]int) bool { return r[0] <= o.Status && o.Status <= r[1] })
}

// low says that there are some below 500, which nobody else would look at.
func (f failing) low() bool { return slices.ContainsFunc(f, func(r [2]int) bool { return r[0] < 500 }) }

// countFailure takes in an outcome, and takes the endpoint out when that was one failure too
// many. Without a sibling that is known to be in, it stays, and the next failure asks again.
func (t *Tracker) countFailure(now time.Time, e *endpoint, o *gateway.Outcome) {
	f := e.fails
	if f != nil && (f.verdict != nil || o.At.Add(-o.Latency).Before(f.back)) {
		return // it began before, and tells nothing about the time after
	}
	if f != nil {
		f.unproven = false
	}
	if e.limit.Max <= 0 || !t.failing.has(o) {
		return
	}
	if f == nil {
		f = &fails{}
		e.fails = f
	}
	if f.n == 0 || now.Sub(f.from) > e.limit.Timeout.Std() {
		f.from, f.n = now, 0
	}
	f.n++
	if f.n < e.limit.Max || !e.eligible || e.byHand != nil || e.active.down || !t.hasAnother(e) {
		return
	}
	if t.ejections == nil {
		t.ejections = map[string]uint64{}
	}
	t.ejections[RuleMaxFails]++
	v := e.describe(now, t.observer, gateway.StateEjected, RuleMaxFails,
		fmt.Sprintf("%s within %s, last: %s", counted(f.n, "failure"), e.limit.Timeout, failureText(o.Status, o.Failure)))
	v.Until = now.Add(e.limit.Timeout.Std())
	f.verdict, f.n = v, 0
	t.note(e)
	t.judgeService(now)
}

func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// hasAnother says whether an endpoint of any priority besides e is in rotation, and not only
// because its time was over: one that nobody has heard of since may be as bad as it was.
func (t *Tracker) hasAnother(e *endpoint) bool {
	return slices.ContainsFunc(t.endpoints, func(s *endpoint) bool {
		return s != e && s.inRotation() && (s.fails == nil || !s.fails.unproven)
	})
}

// returnFailed lets those back whose time is over.
func (t *Tracker) returnFailed(now time.Time) {
	for _, e := range t.endpoints {
		if f := e.fails; f != nil && f.verdict != nil && !now.Before(f.verdict.Until) {
			f.verdict, f.back, f.unproven = nil, now, true
			e.fine = e.describe(now, t.observer, gateway.StateHealthy, RuleFailTimeout, "its time out is over")
			t.note(e)
		}
	}
}

// failedOut says that the count of its failures keeps the endpoint out.
func (e *endpoint) failedOut() bool { return e.fails != nil && e.fails.verdict != nil }
