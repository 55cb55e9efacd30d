package balance

import (
	"slices"
	"sync"
	"sync/atomic"
)

// maxSequence bounds the memory of a worked-out rotation; beyond it turns are worked out
// one by one under a lock.
const maxSequence = 1 << 14

// RoundRobin is nginx's smooth weighted round robin: within each cycle an item gets as many
// turns as its weight, spread as evenly as possible. {5, 1, 1} turns as a a b a c a a.
//
// The rotation repeats after the sum of the weights, so it is worked out once, and a turn
// is one atomic addition. An item that failed has less than its share for a while, see Fail.
type RoundRobin struct {
	weights []int
	unit    int      // by which the weights were divided
	seq     []uint16 // empty: equal weights (turn n is n mod len) or too long
	equal   bool
	next    atomic.Uint32
	detour  atomic.Uint32
	weak    atomic.Pointer[[]weakness] // nil: nothing has failed lately

	mu      sync.Mutex
	current []int // guarded by mu; used when there is no sequence
}

// New makes a rotation over weights, all above 0. It continues where after was; nil starts
// at the beginning.
func New(weights []int, after *RoundRobin) *RoundRobin {
	r := &RoundRobin{weights: reduce(weights), unit: 1}
	if len(weights) > 0 {
		r.unit = weights[0] / r.weights[0]
	}
	if after != nil {
		r.next.Store(after.next.Load())
	}
	total := 0
	for _, w := range r.weights {
		total += w
	}
	switch {
	case total == len(r.weights):
		r.equal = true
	case total <= maxSequence && total*len(r.weights) <= 1<<20:
		r.seq = sequence(r.weights, total)
	default:
		r.current = make([]int, len(r.weights))
	}
	return r
}

// Same says whether r turns over exactly these weights.
func (r *RoundRobin) Same(weights []int) bool { return slices.Equal(r.weights, reduce(weights)) }

// Len is the number of items.
func (r *RoundRobin) Len() int { return len(r.weights) }

// reduce divides by the greatest common divisor, which changes no share.
func reduce(weights []int) []int {
	d := 0
	for _, w := range weights {
		for a, b := w, d; ; a, b = b, a%b {
			if b == 0 {
				d = a
				break
			}
		}
	}
	out := slices.Clone(weights)
	if d > 1 {
		for i := range out {
			out[i] /= d
		}
	}
	return out
}

// sequence works out one cycle.
func sequence(weights []int, total int) []uint16 {
	seq, current := make([]uint16, total), make([]int, len(weights))
	for i := range seq {
		seq[i] = uint16(turn(weights, current, total))
	}
	return seq
}

// turn is nginx's step: everybody gains its weight, the richest is chosen and pays the
// total.
func turn(weights, current []int, total int) int {
	best := 0
	for i, w := range weights {
		current[i] += w
		if current[i] > current[best] {
			best = i
		}
	}
	current[best] -= total
	return best
}

// Pick returns the next item for which usable holds, or -1 when there is none. usable is
// asked at most twice per item.
func (r *RoundRobin) Pick(usable func(i int) bool) int {
	if len(r.weights) == 0 {
		return -1
	}
	i := r.Next()
	if r.weak.Load() == nil {
		if usable(i) {
			return i
		}
		return r.instead(i, usable)
	}
	lets := r.lets(i)
	if lets && usable(i) {
		return i
	}
	if j := r.instead(i, usable); j >= 0 || lets || !usable(i) {
		return j
	}
	return i // weak, but there is no other
}

// instead returns an item that takes over the turn of i, or -1.
func (r *RoundRobin) instead(i int, usable func(i int) bool) int {
	// The share of an item that is left out goes to the others by turns, so that its
	// neighbour does not get all of it.
	others := len(r.weights) - 1
	if others == 0 {
		return -1
	}
	start := int(r.detour.Add(1) % uint32(others))
	for k := range others {
		if j := (i + 1 + (start+k)%others) % (others + 1); usable(j) {
			return j
		}
	}
	return -1
}

// Next is whose turn it is, which is then over.
func (r *RoundRobin) Next() int {
	switch {
	case len(r.weights) == 1:
		return 0
	case r.equal:
		return int((r.next.Add(1) - 1) % uint32(len(r.weights)))
	case r.seq != nil:
		return int(r.seq[(r.next.Add(1)-1)%uint32(len(r.seq))])
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	total := 0
	for _, w := range r.weights {
		total += w
	}
	return turn(r.weights, r.current, total)
}
