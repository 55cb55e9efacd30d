package health

import (
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Tracker judges the endpoints of one upstream. It is pure: time comes in as an argument
// and never goes back, randomness comes from a function, and every method that may change
// a verdict returns the changed ones in the order in which they changed. A Tracker has no
// lock; its owner serialises the calls.
type Tracker struct {
	upstream  gateway.UpstreamKey
	observer  string
	jitter    func() float64
	check     gateway.EffectiveCheck
	endpoints []*endpoint             // sorted by address
	failing   failing                 // what counts as a failure
	ejections map[string]uint64       // nil before the first
	watch     *watch                  // nil while nothing fails
	latencyAt time.Time               // when the present window of latencies ends; zero: not judged
	service   *gateway.ServiceVerdict // nil: it never was bad
	now       time.Time               // of the call that is under way
	changed   []gateway.Verdict
	events    []gateway.HealthEvent
}

// NewTracker returns a tracker without endpoints and checks; [Tracker.Configure] sets both.
// Observer is the node that stands in the evidence. Jitter returns numbers in [0, 1).
func NewTracker(upstream gateway.UpstreamKey, observer string, jitter func() float64) *Tracker {
	return &Tracker{upstream: upstream, observer: observer, jitter: jitter}
}

// Configure sets the checks and the whole set of endpoints. What is known about an endpoint
// that stays is kept. A new endpoint starts unknown. A removed one is forgotten, and given
// back once more as unknown, so that nobody holds its old verdict against a newcomer with
// the same address. A changed check starts anew, and only that check: the active one when
// it asks something else (see sameQuestion), the passive one on any change.
func (t *Tracker) Configure(now time.Time, check gateway.EffectiveCheck, endpoints []gateway.Endpoint) []gateway.Verdict {
	t.now = now
	t.turn(now)
	next := make([]*endpoint, 0, len(endpoints))
	for i := range endpoints {
		ep := &endpoints[i]
		e := t.find(ep.Address)
		if e == nil {
			e = t.add(now, ep.Address)
		}
		e.eligible = ep.Weight > 0 && !ep.Terminating && !ep.Pin.Out()
		t.setLimit(now, e, limitOf(check.Fails, ep))
		t.setPin(now, e, ep.Pin)
		next = append(next, e)
	}
	slices.SortFunc(next, byAddress)
	for _, e := range t.endpoints {
		if _, kept := slices.BinarySearchFunc(next, e, byAddress); !kept {
			t.forget(now, e)
		}
	}
	t.endpoints = next
	check = filled(check)
	t.restart(now, check)
	t.restartFails(now, check.Fails)
	t.check = check
	t.expect(now)
	t.timeLatency(now)
	t.relieve(now)
	t.judgeService(now)
	return t.flush()
}

// Result is how one probe ended.
type Result struct {
	Latency time.Duration
	Status  int    // of an HTTP answer, else 0
	Err     string // empty for a success, else what went wrong
	Silent  bool   // a failure without any sign of the other side
}

// Probe takes in the result of an active probe.
func (t *Tracker) Probe(now time.Time, address string, r Result) []gateway.Verdict {
	if e := t.find(address); e != nil {
		return t.probed(now, e, r)
	}
	return nil
}

// probed is Probe for one of the endpoints.
func (t *Tracker) probed(now time.Time, e *endpoint, r Result) []gateway.Verdict {
	c := t.check.Active
	if c == nil {
		return nil
	}
	t.now = now
	e.probed(gateway.Sample{At: now, Kind: "probe", Status: r.Status, Error: r.Err, Latency: gateway.Duration(r.Latency)})
	rule := e.active.observe(r.Err == "", c)
	e.active.newest = pulse{now, r.Err}
	if r.Err == "" {
		t.succeeded(now, e, "a probe succeeded")
	}
	switch rule {
	case RuleActiveFall:
		reason := inARow(e.active.failures, "probe") + " failed, last: " + r.Err
		e.active.verdict = e.describe(now, t.observer, gateway.StateDown, rule, reason)
	case RuleActiveRise:
		t.risen(now, e)
	}
	t.probeOnProbation(now, e, r.Err == "")
	t.note(e)
	if rule != "" {
		t.relieve(now)
		t.judgeService(now)
	}
	return t.flush()
}

// Request takes in how an exchange with an endpoint ended. An outcome without status and
// failure says nothing (the client went away, perhaps) and is ignored.
func (t *Tracker) Request(now time.Time, o gateway.Outcome) []gateway.Verdict {
	e := t.find(o.Address)
	if e == nil || o.Status == 0 && o.Failure == "" && !o.Connected {
		return nil
	}
	t.now = now
	e.sample(gateway.Sample{At: o.At, Kind: "request", Status: o.Status, Error: failureDetail(o), Latency: gateway.Duration(o.Latency), Request: o.Request})
	if t.check.Fails != nil {
		t.countFailure(now, e, &o)
	}
	switch {
	case t.check.Passive == nil:
		if !isGatewayError(&o) {
			t.requestSucceeded(now, e)
		}
	case t.isStale(e, o):
	default:
		t.turn(now)
		t.judgeRequest(now, e, o)
	}
	return t.flush()
}

// Advance moves endpoints whose ejection is over to probation, and windows on.
func (t *Tracker) Advance(now time.Time) []gateway.Verdict {
	t.now = now
	t.turn(now)
	t.judgeLatency(now)
	t.returnFailed(now)
	for _, e := range t.endpoints {
		if e.passive.phase == ejected && !now.Before(e.passive.verdict.Until) {
			t.startProbation(now, e, RuleEjectionExpired, "the ejection is over: trial requests decide")
		}
	}
	t.judgeService(now)
	return t.flush()
}

// Next is when [Tracker.Advance] has something to do, or the zero time.
func (t *Tracker) Next() (next time.Time) {
	sooner := func(at time.Time) {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, e := range t.endpoints {
		if e.passive.phase == ejected {
			sooner(e.passive.verdict.Until)
		}
		if e.failedOut() {
			sooner(e.fails.verdict.Until)
		}
	}
	if t.watch != nil {
		sooner(t.watch.fastAt.Add(t.span()))
	}
	sooner(t.latencyAt)
	return next
}

// Service says whether the upstream is bad as a whole.
func (t *Tracker) Service() gateway.ServiceVerdict {
	if t.service == nil {
		return gateway.ServiceVerdict{}
	}
	return *t.service
}

// Events returns what has happened since the last call, in order: every transition of an
// endpoint but those of a newcomer, what shadow mode would have done, and changes of Service.
func (t *Tracker) Events() []gateway.HealthEvent {
	events := t.events
	t.events = nil
	return events
}

// Verdicts lists the present verdict of every endpoint, sorted by address.
func (t *Tracker) Verdicts() []gateway.Verdict {
	vs := make([]gateway.Verdict, len(t.endpoints))
	for i, e := range t.endpoints {
		vs[i] = *e.last
	}
	return vs
}

// Quiet says that one more successful request could not change anything at the address.
func (t *Tracker) Quiet(address string) bool {
	e := t.find(address)
	return e != nil && t.quiet(e)
}

func (t *Tracker) quiet(e *endpoint) bool { return e.quiet() && !t.failing.low() }

// Ejections counts the ejections so far by rule.
func (t *Tracker) Ejections() map[string]uint64 { return t.ejections }

func (t *Tracker) find(address string) *endpoint {
	i, ok := slices.BinarySearchFunc(t.endpoints, address, func(e *endpoint, a string) int { return strings.Compare(e.key.Address, a) })
	if !ok {
		return nil
	}
	return t.endpoints[i]
}

func byAddress(a, b *endpoint) int { return strings.Compare(a.key.Address, b.key.Address) }

func (t *Tracker) flush() []gateway.Verdict {
	changed := t.changed
	t.changed = nil
	return changed
}
