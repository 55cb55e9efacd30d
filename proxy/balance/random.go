package balance

import "math/rand/v2"

// Random chooses items by chance, each as often as its weight says (Vose's alias method: two
// looks into a table, however many items there are). It is only read.
type Random struct {
	threshold []uint32 // of a draw, below which the slot's own item is meant
	alias     []uint32 // which item is meant otherwise
}

// NewRandom makes a choice among weights, all above 0.
func NewRandom(weights []int) *Random {
	n, total := len(weights), 0
	for _, w := range weights {
		total += w
	}
	r := &Random{threshold: make([]uint32, n), alias: make([]uint32, n)}
	scaled := make([]float64, n) // 1 is an even share
	var small, large []int
	for i, w := range weights {
		scaled[i] = float64(w) * float64(n) / float64(total)
		if scaled[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	const whole = 1<<32 - 1
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		r.threshold[s], r.alias[s] = uint32(scaled[s]*whole), uint32(l)
		if scaled[l] -= 1 - scaled[s]; scaled[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) { // what rounding leaves over is even
		r.threshold[i], r.alias[i] = whole, uint32(i)
	}
	return r
}

// Pick draws an item, or -1 when there is none.
func (r *Random) Pick() int {
	n := uint64(len(r.alias))
	if n == 0 {
		return -1
	}
	draw := rand.Uint64()
	slot := (draw >> 32) * n >> 32
	if uint32(draw) > r.threshold[slot] {
		return int(r.alias[slot])
	}
	return int(slot)
}
