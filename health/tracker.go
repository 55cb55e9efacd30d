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
	endpoints []*endpoint       // sorted by address
	ejections map[string]uint64 // nil before the first
	changed   []gateway.Verdict
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
	next := make([]*endpoint, 0, len(endpoints))
	for _, ep := range endpoints {
		e := t.find(ep.Address)
		if e == nil {
			e = t.add(now, ep.Address)
		}
		e.eligible = ep.Weight > 0 && !ep.Terminating
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
	t.check = check
	t.relieve(now)
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
	e, c := t.find(address), t.check.Active
	if e == nil || c == nil {
		return nil
	}
	e.sample(gateway.Sample{At: now, Kind: "probe", Status: r.Status, Error: r.Err, Latency: gateway.Duration(r.Latency)})
	rule := e.active.observe(r.Err == "", c)
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
	}
	return t.flush()
}

// Request takes in how an exchange with an endpoint ended. An outcome without status and
// failure says nothing (the client went away, perhaps) and is ignored.
func (t *Tracker) Request(now time.Time, o gateway.Outcome) []gateway.Verdict {
	e := t.find(o.Address)
	if e == nil || o.Status == 0 && o.Failure == "" {
		return nil
	}
	e.sample(gateway.Sample{At: o.At, Kind: "request", Status: o.Status, Error: failureDetail(o), Latency: gateway.Duration(o.Latency)})
	switch {
	case t.check.Passive != nil && t.isStale(e, o):
	case isGatewayError(&o):
		t.requestFailed(now, e, o)
	default:
		t.requestSucceeded(now, e)
	}
	return t.flush()
}

// Advance moves endpoints whose ejection is over to probation.
func (t *Tracker) Advance(now time.Time) []gateway.Verdict {
	for _, e := range t.endpoints {
		if e.passive.phase == ejected && !now.Before(e.passive.verdict.Until) {
			t.startProbation(now, e, RuleEjectionExpired, "the ejection is over: trial requests decide")
		}
	}
	return t.flush()
}

// Next is when [Tracker.Advance] has something to do, or the zero time.
func (t *Tracker) Next() (next time.Time) {
	for _, e := range t.endpoints {
		if e.passive.phase == ejected && (next.IsZero() || e.passive.verdict.Until.Before(next)) {
			next = e.passive.verdict.Until
		}
	}
	return next
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
	return e != nil && e.quiet()
}

// Unsettled says that the last probes of the address contradict its state, so that the
// next one should come soon.
func (t *Tracker) Unsettled(address string) bool {
	e := t.find(address)
	return e != nil && e.active.unsettled()
}

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

// note records the endpoint's verdict if it has changed.
func (t *Tracker) note(e *endpoint) {
	v := e.verdict()
	if v.State != e.last.State || !v.Since.Equal(e.last.Since) || v.Rule != e.last.Rule {
		e.last = v
		t.changed = append(t.changed, *v)
	}
}

func (t *Tracker) flush() []gateway.Verdict {
	changed := t.changed
	t.changed = nil
	return changed
}
