package health

import (
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// hasRelief says whether a sibling is doing well and could take the endpoint's requests.
// Without one nobody is ejected: so never the last endpoint, and none when all are bad.
func (t *Tracker) hasRelief(now time.Time, e *endpoint) bool {
	for _, s := range t.endpoints {
		if s != e && s.doingWell(now) {
			return true
		}
	}
	return false
}

// mayEject says whether the endpoint is one that could be ejected, and whether the cap leaves
// room for one more. One that takes no new requests, that probes have taken down, or that a
// person has spoken about, need not be.
func (t *Tracker) mayEject(now time.Time, e *endpoint) bool {
	if !e.eligible || e.active.down || e.byHand != nil || e.failedOut() || e.passive.phase == ejected || e.passive.shadowed(now) {
		return false
	}
	eligible, out := t.ejected(now)
	return out < ejectionCap(eligible, t.check.Passive.MaxEjectedPercent)
}

// ejected counts the endpoints that may get new requests, and those of them that are ejected,
// or would be without shadow mode.
func (t *Tracker) ejected(now time.Time) (eligible, out int) {
	for _, s := range t.endpoints {
		if s.eligible {
			eligible++
			if s.failedOut() || s.passive.phase == ejected || s.passive.shadowed(now) {
				out++
			}
		}
	}
	return eligible, out
}

// ejectionCap is how many of n endpoints may be ejected at once: a share, rounded down, but
// always one, as a strict share would never eject anything in a small upstream (envoy #34796),
// and never the last.
func ejectionCap(n, percent int) int { return max(0, min(max(1, n*percent/100), n-1)) }

// capArithmetic says how the cap comes about.
func capArithmetic(n, percent int) (string, gateway.Bound) {
	limit, share := ejectionCap(n, percent), n*percent/100
	text := fmt.Sprintf("may eject %d of %d", limit, n)
	switch {
	case n == 0:
		return "has no endpoint to eject", gateway.BoundNone
	case n == 1, share > limit:
		return text + ": the last endpoint is never ejected", gateway.BoundLast
	case share < 1:
		return text + fmt.Sprintf(": %d %% of %d is less than one, and one always may be", percent, n), gateway.BoundAtLeastOne
	}
	return text + fmt.Sprintf(": %d %% of %d, rounded down", percent, n), gateway.BoundShare
}

// siblingsAreBetter compares a row of errors with what siblings did lately: when the median
// one loses a quarter of its requests, a row is no wonder, and it is the service that is bad.
func (t *Tracker) siblingsAreBetter(e *endpoint) bool {
	share, _ := t.median(e, false)
	return share < t.check.Passive.MaxErrorRatio/2
}

// relieve ends an ejection early when nothing else is left in rotation, for example because
// the siblings went down or were removed. The one that would return first is tried. With
// every endpoint down there is nothing to relieve; gateway.Build then uses all of them.
func (t *Tracker) relieve(now time.Time) {
	var first *endpoint
	for _, e := range t.endpoints {
		if e.inRotation() {
			return
		}
		waiting := e.eligible && e.byHand == nil && !e.active.down && e.passive.phase == ejected
		if waiting && (first == nil || e.passive.verdict.Until.Before(first.passive.verdict.Until)) {
			first = e
		}
	}
	if first != nil {
		t.startProbation(now, first, RuleLastEndpoint, "no other endpoint is left in rotation: tried before its ejection ends")
	}
}
