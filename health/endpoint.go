package health

import (
	"slices"
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
	active   active
	met      bool // it is not new to the active check
	passive  passive
	samples  []gateway.Sample // newest last
	// fine is the verdict while neither check objects: unknown or healthy. Verdicts are never
	// changed, so that most endpoints hold one and not four, which are two hundred bytes each.
	fine *gateway.Verdict
	// last is the verdict that was given out last.
	last *gateway.Verdict
}

// verdict combines both checks. Down comes first: it says that the endpoint cannot answer,
// while an ejection says that it should not be asked.
func (e *endpoint) verdict() *gateway.Verdict {
	switch {
	case e.active.down:
		return e.active.verdict
	case e.passive.phase != trusted:
		return e.passive.verdict
	}
	return e.fine
}

// inRotation says whether the endpoint gets new requests as far as health is concerned.
func (e *endpoint) inRotation() bool {
	return e.eligible && !e.active.down && e.passive.phase != ejected
}

// doingWell says whether the endpoint could take over from a sibling: in rotation, past
// any probation, and its latest outcome is no gateway error.
func (e *endpoint) doingWell(now time.Time) bool {
	return e.inRotation() && e.passive.phase == trusted && !e.passive.troubled(now)
}

// quiet says that one more success could not change anything.
func (e *endpoint) quiet() bool {
	return e.fine.State == gateway.StateHealthy && e.passive.phase == trusted && !e.passive.failing
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
		Evidence: gateway.Evidence{
			Observer:  observer,
			Ejections: e.passive.ejections,
			Samples:   slices.Clone(e.samples),
		},
	}
}
