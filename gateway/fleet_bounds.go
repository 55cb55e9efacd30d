package gateway

import (
	"fmt"
	"time"
)

// What the spans of a fleet may be. A shorter budget would leave workers behind faster than they
// end; a longer drain or budget would keep nodes from changes, and from what takes them back.
const (
	minReloadEvery = Duration(100 * time.Millisecond)
	maxReloadEvery = Duration(time.Hour)
	maxBake        = Duration(24 * time.Hour)
	maxDrain       = Duration(time.Hour)
)

// Bounded is the shortest time between two reloads of a node that is in force; 0: none is
// written. What is out of bounds, for which Build has a problem, is the nearest that is possible.
func (r ReloadBudget) Bounded() Duration {
	if r.Every == 0 {
		return 0
	}
	return min(max(r.Every, minReloadEvery), maxReloadEvery)
}

// checkFleetSpans reports spans of a fleet that are out of bounds.
func (b *builder) checkFleetSpans(f *Fleet) {
	s := &f.Spec
	var bake Duration
	if s.Bake != nil {
		bake = *s.Bake
	}
	for _, span := range []struct {
		field, bounds string
		is, inForce   Duration
	}{
		{"spec.reloadBudget.every", fmt.Sprintf("write %s to %s", minReloadEvery, maxReloadEvery), s.ReloadBudget.Every, s.ReloadBudget.Bounded()},
		{"spec.bake", fmt.Sprintf("write at most %s", maxBake), bake, min(bake, maxBake)},
		{"spec.drain", fmt.Sprintf("write at most %s", maxDrain), s.Drain, min(s.Drain, maxDrain)},
	} {
		if span.is != span.inForce {
			b.report(Problem{Object: f.Ref(), Field: span.field, Code: "span_invalid",
				Message: fmt.Sprintf("%s can not be used, so %s is in force: %s.", span.is, span.inForce, span.bounds)})
		}
	}
}
