package main

import (
	"time"

	"github.com/sluice-gateway/sluice/discovery"
)

// settleTime is how long nothing may have happened before what sources sent counts as served.
const settleTime = 300 * time.Millisecond

// settling waits, once every source has sent its sets, until they are in the snapshot that is
// served: a snapshot that was in the making at that moment may lack some of them.
type settling struct {
	began bool
	first uint64    // generation served when it began
	last  uint64    // and now
	since time.Time // when last was new
}

// over says whether the sets are served: the second snapshot from the beginning holds all of
// them, and so does one that is followed by none.
func (s *settling) over(sources []discovery.SourceStatus, generation uint64, now time.Time) bool {
	wants := 0
	for _, source := range sources {
		wants += source.Wants
	}
	if wants == 0 {
		return true // nothing was to be sent
	}
	if !s.began {
		s.began, s.first = true, generation
	}
	if generation != s.last {
		s.last, s.since = generation, now
	}
	return generation >= s.first+2 || now.Sub(s.since) >= settleTime
}
