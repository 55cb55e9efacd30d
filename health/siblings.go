package health

import "time"

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

// hasRoom says whether the cap leaves room to eject one more endpoint.
func (t *Tracker) hasRoom() bool {
	eligible, out := 0, 0
	for _, s := range t.endpoints {
		if s.eligible {
			eligible++
			if s.passive.phase == ejected {
				out++
			}
		}
	}
	return out < ejectionCap(eligible, t.check.Passive.MaxEjectedPercent)
}

// ejectionCap is how many of n endpoints may be ejected at once. One always may: a strict
// share would never eject anything in a small upstream (envoy #34796).
func ejectionCap(n, percent int) int { return max(1, n*percent/100) }

// relieve ends an ejection early when nothing else is left in rotation, for example because
// the siblings went down or were removed. The one that would return first is tried. With
// every endpoint down there is nothing to relieve; gateway.Build then uses all of them.
func (t *Tracker) relieve(now time.Time) {
	var first *endpoint
	for _, e := range t.endpoints {
		if e.inRotation() {
			return
		}
		waiting := e.eligible && !e.active.down && e.passive.phase == ejected
		if waiting && (first == nil || e.passive.verdict.Until.Before(first.passive.verdict.Until)) {
			first = e
		}
	}
	if first != nil {
		t.startProbation(now, first, RuleLastEndpoint, "no other endpoint is left in rotation: tried before its ejection ends")
	}
}
