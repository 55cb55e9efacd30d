package health

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// maxSamples bounds the evidence kept for one endpoint.
const maxSamples = 10

// endpoint is what the tracker knows about one address.
type endpoint struct {
	key gateway.EndpointKey
	// eligible endpoints may get new requests: their weight is above 0 and they are not
	// terminating. Only they count for the cap, and as "not the last one".
	eligible bool
	byHand   *byHand // nil: nobody has said anything
	cell     *cell
	windows  *windows // nil while nothing fails in the upstream
	active   active
	met      bool // it is not new to the active check
	passive  passive
	limit    gateway.FailLimit
	fails    *fails           // nil until the first failure that counts
	samples  []gateway.Sample // newest last
	// fine is the verdict while neither check objects: unknown or healthy. Verdicts are never
	// changed, so that most endpoints hold one and not four, which are two hundred bytes each.
	fine *gateway.Verdict
	// last is the verdict that was given out last.
	last *gateway.Verdict
}

// byHand is what a person says, and what that amounts to.
type byHand struct {
	pin     gateway.EndpointPin
	verdict gateway.Verdict
}

// cell is what an outcome looks at before it takes the lock.
type cell struct {
	// quiet says that one more success changes nothing but counts. It is written under the
	// upstream's lock. A success that reads it just before an error clears it counts as having
	// come before that error.
	quiet atomic.Bool
	// answers counts the outcomes that say something about the endpoint, good or bad.
	answers atomic.Uint32
	// began is when the exchange began, in Unix nanoseconds, that is the latest of those which
	// were answered: what failed and began earlier is older news than that answer.
	began atomic.Int64
	// latency is nil where latency is not judged.
	latency atomic.Pointer[latencies]
}

// succeeded counts a success that changes nothing else. Anybody may call it.
func (c *cell) succeeded(o *gateway.Outcome) {
	c.answers.Add(1)
	c.answered(o)
	if l := c.latency.Load(); l != nil {
		l.observe(o.Latency)
	}
}

// answered notes when an exchange that was answered began. Of two at the same time one may be
// lost, which is as if it had come a moment later.
func (c *cell) answered(o *gateway.Outcome) {
	if began := o.At.UnixNano() - int64(o.Latency); began > c.began.Load() && !o.At.IsZero() {
		c.began.Store(began)
	}
}

// verdict is what a person says, else both checks together. Down comes first: it says that
// the endpoint cannot answer, while an ejection says that it should not be asked.
func (e *endpoint) verdict() *gateway.Verdict {
	switch {
	case e.byHand != nil:
		return &e.byHand.verdict
	case e.active.down:
		return e.active.verdict
	case e.failedOut():
		return e.fails.verdict
	case e.passive.phase != trusted:
		return e.passive.verdict
	}
	return e.fine
}

// inRotation says whether the endpoint gets new requests as far as health is concerned.
func (e *endpoint) inRotation() bool {
	return e.eligible && (e.forcedUp() || !e.active.down && !e.failedOut() && e.passive.phase != ejected)
}

// forcedUp endpoints are in rotation by a person's word, and are not ejected.
func (e *endpoint) forcedUp() bool { return e.byHand != nil && e.byHand.pin.State == gateway.PinUp }

// pin is what a person says, or nil.
func (e *endpoint) pin() *gateway.EndpointPin {
	if e.byHand == nil {
		return nil
	}
	return &e.byHand.pin
}

// doingWell says whether the endpoint could take over from a sibling: in rotation, past
// any probation, and its latest outcome is no gateway error.
func (e *endpoint) doingWell(now time.Time) bool {
	return e.inRotation() && !e.active.down && e.passive.phase == trusted && !e.passive.troubled(now)
}

// quiet says that one more success could not change anything.
func (e *endpoint) quiet() bool {
	return e.fine.State == gateway.StateHealthy && e.passive.phase == trusted && !e.passive.failing && (e.fails == nil || !e.fails.unproven)
}

func (e *endpoint) sample(s gateway.Sample) {
	if len(e.samples) == maxSamples {
		copy(e.samples, e.samples[1:])
		e.samples = e.samples[:maxSamples-1]
	}
	e.samples = append(e.samples, s)
}

// describe makes a verdict of this moment, with the evidence so far.
func (e *endpoint) describe(now time.Time, observer string, state gateway.HealthState, rule, reason string) *gateway.Verdict {
	return &gateway.Verdict{
		EndpointKey: e.key,
		State:       state,
		Since:       now,
		Reason:      reason,
		Rule:        rule,
		Evidence:    e.evidence(observer),
	}
}

func (e *endpoint) evidence(observer string) gateway.Evidence {
	return gateway.Evidence{Observer: observer, Ejections: e.passive.ejections, Samples: slices.Clone(e.samples)}
}
