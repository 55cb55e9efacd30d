package balance

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

const (
	// slotsEach is how many slots of a ring an item has on average: with a hundred, shares are
	// within some percent of the weights.
	slotsEach = 100
	// maxSlots bounds a ring's memory, of two bytes a slot.
	maxSlots = 65537
	// maxWalk is how many slots are tried before items are asked in order: by then, most of
	// them have been asked.
	maxWalk = 64
)

// primes are the sizes that rings have.
var primes = []int{251, 509, 1021, 2039, 4093, 8191, 16381, 32749, maxSlots}

// Ring is a Maglev table (Eisenbud et al., 2016, section 3.4): each item has a permutation of
// the slots from its name, and in turn items take the next slot of theirs that is free, as
// often as their weight says. Equal names and weights give equal rings everywhere, and an item
// that comes or goes moves little more than its own share of the keys. It is only read.
type Ring struct {
	slots []uint16
	items int
}

// NewRing makes a ring of items with different names and weights above 0. It has room for
// 65535 items; further ones are never chosen.
func NewRing(names []string, weights []int) *Ring {
	n := min(len(names), 1<<16-1)
	if n == 0 {
		return &Ring{}
	}
	weights = reduce(weights[:n])
	size := ringSize(weights)
	r := &Ring{slots: make([]uint16, size), items: n}
	taken := make([]bool, size)
	at, step := make([]uint64, n), make([]uint64, n)
	for i := range n {
		h := xxhash.Sum64String(names[i])
		at[i], step[i] = h%uint64(size), 1+mix(h)%uint64(size-1)
	}
	heaviest := 0
	for _, w := range weights {
		heaviest = max(heaviest, w)
	}
	credit := make([]int, n)
	for left := size; left > 0; {
		for i := 0; i < n && left > 0; i++ {
			// A round gives the heaviest item one slot, and others their part of one.
			if credit[i] += weights[i]; credit[i] < heaviest {
				continue
			}
			credit[i] -= heaviest
			for taken[at[i]] {
				at[i] = (at[i] + step[i]) % uint64(size)
			}
			taken[at[i]], r.slots[at[i]] = true, uint16(i)
			left--
		}
	}
	return r
}

// ringSize leaves the lightest item enough slots to have its share, as far as memory allows.
func ringSize(weights []int) int {
	total, lightest := 0, weights[0]
	for _, w := range weights {
		total += w
		lightest = min(lightest, w)
	}
	for _, p := range primes {
		if p >= slotsEach*total/lightest {
			return p
		}
	}
	return maxSlots
}

// mix spreads a hash, so that two numbers that are taken of it are independent (splitmix64).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// Key is the place of a text on any ring.
func Key(text []byte) uint64 { return xxhash.Sum64(text) }

// Pick returns the item that key belongs to, or the next one on the ring for which usable
// holds; -1 when there is none. The keys of an item that is left out go to many others, and
// come back when it does. usable may be asked more than once for an item.
func (r *Ring) Pick(key uint64, usable func(i int) bool) int {
	size := len(r.slots)
	if size == 0 {
		return -1
	}
	slot, _ := bits.Mul64(mix(key), uint64(size))
	last := -1
	for range min(maxWalk, size) {
		if i := int(r.slots[slot]); i != last {
			if usable(i) {
				return i
			}
			last = i
		}
		if slot++; int(slot) == size {
			slot = 0
		}
	}
	for k := range r.items {
		if i := (last + 1 + k) % r.items; usable(i) {
			return i
		}
	}
	return -1
}
