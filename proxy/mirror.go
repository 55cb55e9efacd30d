package proxy

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// The bounds of what is copied: how many copies of one route are kept or under way at a time,
// how large a body may be, how long a copy may take, and how much of its answer is read.
const (
	maxDuplicates   = 128
	maxMirrored     = 64 << 10
	mirrorTime      = int64(60e9)
	maxMirrorAnswer = 1 << 20
)

// mirror is the compiled mirror filter of a route.
type mirror struct {
	upstream *upstream
	percent  int
	counts   *mirrorCounts
}

// mirrorCounts is what a route counts of its copies. It outlives snapshots.
type mirrorCounts struct {
	active  atomic.Int64
	results [numMirrored]atomic.Uint64
}

// mirrored is what became of a copy.
type mirrored uint8

const (
	mirroredSent   mirrored = iota // and answered
	mirroredFailed                 // no answer, or none to its end
	mirroredBusy                   // dropped: too many copies at a time
	mirroredLarge                  // dropped: the body is too large
	mirroredCut                    // dropped: the client's body did not come to its end
	numMirrored
)

var mirroredNames = [numMirrored]string{"sent", "failed", "busy", "body_size", "cut"}

var descMirrored = prometheus.NewDesc("sluice_mirror_requests_total",
	"Requests that were to be copied to a route's mirror, by what became of the copy.", []string{"tenant", "route", "result"}, nil)

func (m *mirrorCounts) collect(ch chan<- prometheus.Metric, k statsKey) {
	for i := range m.results {
		if n := m.results[i].Load(); n > 0 {
			ch <- prometheus.MustNewConstMetric(descMirrored, prometheus.CounterValue, float64(n), k.tenant, k.route, mirroredNames[i])
		}
	}
}

func (r *registry) mirror(e *gateway.EffectiveRoute, l *routeLimits) *mirror {
	if e.Mirror == nil {
		return nil
	}
	return &mirror{upstream: r.upstream(e.Mirror.Upstream), percent: e.Mirror.Percent, counts: &l.mirrored}
}

// duplicate makes a copy of the request's head, if it is one of those that are mirrored and
// there is room. The body is added by prepare, and by the upload.
func (m *mirror) duplicate(x *exchange) {
	r := x.req()
	if r.WebSocket || m.percent < 100 && rand.IntN(100) >= m.percent {
		return
	}
	if r.Framing == http1.Length && r.Length > maxMirrored {
		m.counts.results[mirroredLarge].Add(1)
		return
	}
	if m.counts.active.Add(1) > maxDuplicates {
		m.counts.active.Add(-1)
		m.counts.results[mirroredBusy].Add(1)
		return
	}
	x.copy = newDuplicate(x, m)
}

// copyBody gives the copy what was gathered of the body, and sends it if that is all.
func (x *exchange) copyBody() {
	d := x.copy
	if d == nil || !d.add(x.small) {
		return
	}
	if x.whole {
		d.send()
	}
}

// endCopy drops a copy whose body did not come to its end.
func (x *exchange) endCopy() {
	if x.copy != nil {
		x.copy.drop(mirroredCut)
		x.copy = nil
	}
}

// copying is a body that is streamed and copied as well.
type copying struct {
	source
	d *duplicate
}

func (c *copying) take() ([]byte, error) {
	piece, err := c.source.take()
	if err == nil && c.d.add(piece) && c.over() {
		c.d.send()
	}
	return piece, err
}
