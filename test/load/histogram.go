package load

import (
	"math"
	"math/bits"
	"time"
)

// subBits divides each power of two into 64 buckets, so that a bucket's width is at most
// 1/64 of its value.
const subBits = 6

// histogram counts times in buckets of equal relative width. It is of fixed size, whatever
// the run's length.
type histogram struct {
	counts [64 << subBits]uint32
	total  uint64
	max    time.Duration
}

// bucket numbers the values 0..127 one by one and every further power of two in 64 steps.
func bucket(ns uint64) int {
	shift := max(bits.Len64(ns)-subBits-1, 0)
	return shift<<subBits + int(ns>>shift)
}

// upper is the largest value of a bucket.
func upper(b int) uint64 {
	shift := max(b>>subBits-1, 0)
	return (uint64(b-shift<<subBits)+1)<<shift - 1
}

func (h *histogram) record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.total++
	h.max = max(h.max, d)
}

func (h *histogram) add(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.max = max(h.max, o.max)
}

// quantile is the value that a share q of the recorded times does not exceed; 0 when there
// are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(math.Ceil(q * float64(h.total)))
	var seen uint64
	for i, n := range h.counts {
		seen += uint64(n)
		if n > 0 && seen >= rank {
			return min(time.Duration(upper(i)), h.max)
		}
	}
	return 0
}
