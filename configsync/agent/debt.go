package agent

import (
	"time"
)

// debt is what reloads leave behind: workers that serve old connections to their end, each
// with the memory of a whole nginx.
type debt struct {
	since   map[process]time.Time // draining workers, and when that was first seen
	workers int                   // of one generation
}

// see takes the workers of now in and says whether others drain than before.
func (d *debt) see(accepting, draining []worker, now time.Time) bool {
	next := map[process]time.Time{}
	changed := len(draining) != len(d.since)
	for _, w := range draining {
		p := process{w.pid, w.start}
		at, known := d.since[p]
		if !known {
			at, changed = now, true
		}
		next[p] = at
	}
	d.since = next
	if len(accepting) > 0 {
		d.workers = len(accepting)
	}
	return changed
}

// oldest is when the worker that drains for the longest time began, or zero.
func (d *debt) oldest() (at time.Time) {
	for _, t := range d.since {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	return at
}

// The debt that costs nothing, and the most that the budget is stretched.
const (
	freeGenerations = 2
	maxStretch      = 8
)

// stretch is how many times the reload budget the node waits between reloads. Two old
// generations are the normal case: the last reload's, and one with long answers. Each one
// more doubles the time, so that a node with long-lived connections and many changes has a
// bounded number of old workers rather than one for every change.
func (d *debt) stretch() time.Duration {
	if d.workers == 0 {
		return 1
	}
	generations := (len(d.since) + d.workers - 1) / d.workers
	return time.Duration(min(maxStretch, 1<<min(16, max(0, generations-freeGenerations))))
}
