package health

import (
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// buckets of a window: what is older than a window is forgotten a tenth of it at a time.
	buckets = 10
	// slowWindow is the long look at an application's endpoints: an upstream is one
	// application's.
	slowWindow = 5 * time.Minute
	// tellingRequests in a window make a sibling's share of errors worth comparing with. Of
	// one that has more, the newest part that has plentyRequests counts, so that a service
	// that has recovered does not shield the one endpoint that has not.
	tellingRequests = 5
	plentyRequests  = 20
	// timesSiblings is how far an endpoint's share of errors has to be above that of the
	// median sibling.
	timesSiblings = 3
)

// tally counts requests of a span of time.
type tally struct{ requests, errors uint32 }

func (t tally) plus(o tally) tally { return tally{t.requests + o.requests, t.errors + o.errors} }

func (t tally) share() float64 {
	if t.requests == 0 {
		return 0
	}
	return float64(t.errors) / float64(t.requests)
}

// ring is a window: a tally for each of its buckets.
type ring struct {
	sums [buckets]tally
	at   int8 // the present bucket
}

func (r *ring) add(t tally) { r.sums[r.at] = r.sums[r.at].plus(t) }

func (r *ring) turn(n int) {
	for range min(n, buckets) {
		r.at = (r.at + 1) % buckets
		r.sums[r.at] = tally{}
	}
}

func (r *ring) sum() (all tally) {
	for _, t := range r.sums {
		all = all.plus(t)
	}
	return all
}

// newest is the newest part of the window that has enough requests, or all of it.
func (r *ring) newest(enough uint32) (part tally) {
	for i := range buckets {
		if part.requests >= enough {
			break
		}
		part = part.plus(r.sums[(int(r.at)-i+buckets)%buckets])
	}
	return part
}

// windows are an endpoint's. There are none while nothing fails in its upstream, since most
// upstreams are well, and two windows take two hundred bytes.
type windows struct {
	seen       uint32 // of cell.answers: what the windows have by now
	fast, slow ring
}

// take moves what was answered since the last time into the present buckets.
func (w *windows) take(answers uint32) {
	n := tally{requests: answers - w.seen}
	w.seen = answers
	w.fast.add(n)
	w.slow.add(n)
}

// watch is on while something has failed in an upstream within the slow window.
type watch struct {
	fastAt, slowAt time.Time // when the present buckets began
	lastError      time.Time
}

// watching begins to count at the first error, for all endpoints, so that siblings can be
// compared over the same time.
func (t *Tracker) watching(now time.Time) {
	if t.watch == nil {
		// Aligned, so that many upstreams that are watched are due together.
		t.watch = &watch{fastAt: now.Truncate(t.span()), slowAt: now.Truncate(slowWindow / buckets)}
		for _, e := range t.endpoints {
			e.watched()
		}
	}
	t.watch.lastError = now
}

// watched gives the endpoint empty windows.
func (e *endpoint) watched() { e.windows = &windows{seen: e.cell.answers.Load()} }

// turn moves the windows on to now, and ends the watch when nothing has failed for long.
func (t *Tracker) turn(now time.Time) {
	w := t.watch
	if w == nil {
		return
	}
	if now.Sub(w.lastError) >= slowWindow {
		t.watch = nil
		for _, e := range t.endpoints {
			e.windows = nil
		}
		return
	}
	fast, slow := passed(&w.fastAt, now, t.span()), passed(&w.slowAt, now, slowWindow/buckets)
	if fast+slow == 0 {
		return
	}
	for _, e := range t.endpoints {
		e.windows.take(e.cell.answers.Load())
		e.windows.fast.turn(fast)
		e.windows.slow.turn(slow)
	}
}

// passed is how many spans are over since at, which it moves on.
func passed(at *time.Time, now time.Time, span time.Duration) int {
	n := int(now.Sub(*at) / span)
	*at = at.Add(time.Duration(n) * span)
	return n
}

// span is one bucket of the fast window.
func (t *Tracker) span() time.Duration { return t.check.Passive.Window.Std() / buckets }

// failed counts an error in the windows: any 5xx in the fast one, gateway errors in the slow
// one as well.
func (t *Tracker) failed(now time.Time, e *endpoint, gatewayError bool) {
	t.watching(now)
	e.windows.fast.add(tally{errors: 1})
	if gatewayError {
		e.windows.slow.add(tally{errors: 1})
	}
}

// recent is what the endpoint did within the fast or the slow window.
func (e *endpoint) recent(slow bool) tally {
	if r := e.window(slow); r != nil {
		return r.sum()
	}
	return tally{}
}

// window is the one that is asked for, up to date; nil while there is none.
func (e *endpoint) window(slow bool) *ring {
	w := e.windows
	if w == nil {
		return nil
	}
	w.take(e.cell.answers.Load())
	if slow {
		return &w.slow
	}
	return &w.fast
}

// median is the share of errors of the median sibling of e, among those in rotation that had
// enough requests to tell, and how many these are. None: no sibling speaks against anything.
func (t *Tracker) median(e *endpoint, slow bool) (share float64, siblings int) {
	var shares []float64
	for _, s := range t.endpoints {
		if s == e || !s.inRotation() {
			continue
		}
		if r := s.window(slow); r != nil {
			if n := r.newest(plentyRequests); n.requests >= tellingRequests {
				shares = append(shares, n.share())
			}
		}
	}
	return medianOf(shares), len(shares)
}

// medianOf sorts the values. Of an even number it takes the lower middle one: of two siblings,
// the better one says what can be had.
func medianOf(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[(len(v)-1)/2]
}

// counts puts into numbers what a rule looks at.
func (t *Tracker) counts(e *endpoint, slow bool) *gateway.Counts {
	n, window := e.recent(slow), t.check.Passive.Window
	if slow {
		window = gateway.Duration(slowWindow)
	}
	c := &gateway.Counts{Window: window, Requests: int(n.requests), Errors: int(n.errors)}
	c.SiblingsMedian, c.Siblings = t.median(e, slow)
	return c
}
