package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxReasons bounds the table of reasons; what does not fit is counted as "other".
const maxReasons = 50

// Result is what a run counted.
type Result struct {
	// Requests that were begun; each has ended one way or the other.
	Requests int
	// Failures are requests without a whole answer as expected, and Reasons say why.
	Failures int
	Reasons  map[string]int
	// Statuses counts the answers by status.
	Statuses map[int]int
	// Opened counts connections made, Closed those that the server closed, whether idle,
	// in the middle of a request or by "Connection: close".
	Opened, Closed int
	// Elapsed is from the start of the run to the end of its last request.
	Elapsed time.Duration
	// Latency runs from the time a request was due until its answer was complete, so that
	// waiting for a late connection counts (no coordinated omission). Requests without an
	// answer count as well.
	Latency Latency
}

// Latency is a distribution, to within 2 percent.
type Latency struct{ P50, P90, P99, Max time.Duration }

// PerSecond is the rate that was reached.
func (r Result) PerSecond() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// String sums up the run in one line.
func (r Result) String() string {
	text := fmt.Sprintf("%d requests in %s (%.0f/s), %d failed, %d connections opened, %d closed by the server, latency p50 %s p99 %s max %s",
		r.Requests, r.Elapsed.Round(time.Millisecond), r.PerSecond(), r.Failures, r.Opened, r.Closed, r.Latency.P50, r.Latency.P99, r.Latency.Max)
	for _, reason := range slices.Sorted(maps.Keys(r.Reasons)) {
		text += fmt.Sprintf("; %d x %s", r.Reasons[reason], strings.TrimSpace(reason))
	}
	return text
}

// tally is what one client counts.
type tally struct {
	requests, failures, opened, closed int
	reasons                            map[string]int
	statuses                           map[int]int
	latency                            histogram
}

func newTally() *tally { return &tally{reasons: map[string]int{}, statuses: map[int]int{}} }

func (t *tally) count(a Answer) {
	t.requests++
	t.latency.record(a.End.Sub(a.Due))
	if a.Status != 0 {
		t.statuses[a.Status]++
	}
	if a.Failure != "" {
		t.failures++
		t.blame(a.Failure, 1)
	}
}

func (t *tally) blame(reason string, n int) {
	if _, known := t.reasons[reason]; !known && len(t.reasons) >= maxReasons {
		reason = "other"
	}
	t.reasons[reason] += n
}

func (t *tally) add(o *tally) {
	t.requests += o.requests
	t.failures += o.failures
	t.opened += o.opened
	t.closed += o.closed
	for reason, n := range o.reasons {
		t.blame(reason, n)
	}
	for status, n := range o.statuses {
		t.statuses[status] += n
	}
	t.latency.add(&o.latency)
}

func (t *tally) result(elapsed time.Duration) Result {
	return Result{
		Requests: t.requests, Failures: t.failures, Reasons: t.reasons, Statuses: t.statuses,
		Opened: t.opened, Closed: t.closed, Elapsed: elapsed,
		Latency: Latency{t.latency.quantile(0.5), t.latency.quantile(0.9), t.latency.quantile(0.99), t.latency.max},
	}
}
