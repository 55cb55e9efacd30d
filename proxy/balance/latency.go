package balance

import (
	"math"
	"sync/atomic"
)

// halfLife is how long half of what an average was weighs, in nanoseconds: long enough to tell
// endpoints apart at a few requests a second, short enough to forget a hiccup.
const halfLife = 7e9

// Latency is a moving average of latencies that jumps up to a peak and sinks with time, so that
// an item that turns slow is avoided at its first slow answer, and tried again later (as in
// Finagle's and Linkerd's peak EWMA). The zero value knows nothing. Anybody may call it at any
// time; of two changes at one moment one may be lost.
type Latency struct {
	value atomic.Uint64 // bits of a float64, nanoseconds
	at    atomic.Int64
}

// Observe takes in a latency, in nanoseconds, at a moment.
func (l *Latency) Observe(now, latency int64) {
	was, at := math.Float64frombits(l.value.Load()), l.at.Swap(now)
	v := float64(max(latency, 1))
	if v < was {
		v += (was - v) * kept(now-at)
	}
	l.value.Store(math.Float64bits(v))
}

// Cost of one more request beside so many that are under way for its weight, to be compared with
// others'. One that has answered nothing yet is free until it has a request, and dear until that
// is answered.
func (l *Latency) Cost(now int64, underWay float64) float64 {
	v := math.Float64frombits(l.value.Load())
	if v == 0 {
		return underWay * 1e15
	}
	return v * kept(now-l.at.Load()) * (underWay + 1)
}

// kept is the part of an average that is left after a time.
func kept(nanoseconds int64) float64 { return math.Exp2(-float64(max(nanoseconds, 0)) / halfLife) }
