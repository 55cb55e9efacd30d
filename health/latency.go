package health

import (
	"fmt"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// latencyFloor is by how much an outlier's latency has to be above its siblings': below it
// nobody notices, and a cache that is cold for a moment makes ten times of nothing.
const latencyFloor = 50 * time.Millisecond

// latencySteps are the steps of a histogram, four to each doubling from 128 µs on. The last
// one begins at an hour.
const latencySteps = 100

// latencies counts successes by their latency within one window. It exists only where
// latency is judged.
type latencies [latencySteps]atomic.Uint32

// step is the step that the duration falls into.
func step(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < 128 {
		return 0
	}
	double := bits.Len64(us) - 8 // 0 for 128 to 255
	return min(1+4*double+int(us>>(double+5)&3), latencySteps-1)
}

// upTo is where the step ends.
func upTo(step int) time.Duration {
	if step == 0 {
		return 128 * time.Microsecond
	}
	double, quarter := (step-1)/4, (step-1)%4
	return time.Duration(5+quarter) << (double + 5) * time.Microsecond
}

func (l *latencies) observe(d time.Duration) { l[step(d)].Add(1) }

// drain returns the 90th percentile and the number of successes, and begins anew.
func (l *latencies) drain() (p90 time.Duration, n int) {
	var counts [latencySteps]int
	for i := range l {
		counts[i] = int(l[i].Swap(0))
		n += counts[i]
	}
	rest := n - n*9/10
	for i := latencySteps - 1; i >= 0; i-- {
		if rest -= counts[i]; rest <= 0 && n > 0 {
			return upTo(i), n
		}
	}
	return 0, n
}

// judgeLatency looks at the window that is over, and ejects outliers: those whose 90th
// percentile is far above that of the median sibling. The slowest comes first.
func (t *Tracker) judgeLatency(now time.Time) {
	if t.latencyAt.IsZero() || now.Before(t.latencyAt) {
		return
	}
	c := t.check.Passive
	t.latencyAt = windowEnd(now, c.Window)
	p90 := make(map[*endpoint]float64, len(t.endpoints))
	requests := make(map[*endpoint]int, len(t.endpoints))
	for _, e := range t.endpoints {
		l := e.cell.latency.Load()
		if l == nil {
			continue
		}
		if v, n := l.drain(); n >= c.MinRequests && e.inRotation() {
			p90[e], requests[e] = float64(v), n
		}
	}
	for len(p90) > 0 {
		var worst *endpoint
		for _, e := range t.endpoints {
			if _, told := p90[e]; told && (worst == nil || p90[e] > p90[worst]) {
				worst = e
			}
		}
		t.judgeOutlier(now, worst, p90, requests[worst])
		delete(p90, worst)
	}
}

// windowEnd is aligned, so that many upstreams are due together. The first window is shorter.
func windowEnd(now time.Time, window gateway.Duration) time.Time {
	return now.Truncate(window.Std()).Add(window.Std())
}

func (t *Tracker) judgeOutlier(now time.Time, e *endpoint, p90 map[*endpoint]float64, n int) {
	c := t.check.Passive
	var others []float64
	for s, v := range p90 {
		if s != e {
			others = append(others, v)
		}
	}
	median := medianOf(others)
	if len(others) == 0 || p90[e] < c.MaxLatencyRatio*median || p90[e] < median+float64(latencyFloor) {
		return
	}
	if !t.mayEject(now, e) || !t.hasRelief(now, e) {
		return
	}
	mine, theirs := time.Duration(p90[e]), time.Duration(median)
	counts := &gateway.Counts{Window: c.Window, Requests: n, Siblings: len(others),
		Latency: gateway.Duration(mine), SiblingsLatency: gateway.Duration(theirs)}
	t.eject(now, e, RuleLatency, fmt.Sprintf("90 %% of %d requests took up to %s, those of siblings up to %s", n, mine, theirs), counts)
}

// timeLatency switches the histograms on or off.
func (t *Tracker) timeLatency(now time.Time) {
	on := t.check.Passive != nil && t.check.Passive.MaxLatencyRatio > 0
	switch {
	case !on:
		t.latencyAt = time.Time{}
	case t.latencyAt.IsZero():
		t.latencyAt = windowEnd(now, t.check.Passive.Window)
	}
	for _, e := range t.endpoints {
		switch has := e.cell.latency.Load() != nil; {
		case on && !has:
			e.cell.latency.Store(new(latencies))
		case !on && has:
			e.cell.latency.Store(nil)
		}
	}
}
