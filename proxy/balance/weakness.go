package balance

import "sync/atomic"

// weakness is how much of its weight an item lacks after a failure. Its effective weight grows
// by one with each turn of the rotation, whoever has it.
type weakness struct {
	lacks  atomic.Int64
	credit atomic.Int64 // of turns, in shares of the weight
}

// Fail halves the effective weight of item i, rounded up, as nginx and lua-resty-checkups do in
// other measures: with each turn of the rotation it grows by one, until it is whole again. The
// turns that the item does not get go to the others. An item of weight 1 has nothing to lose.
func (r *RoundRobin) Fail(i int) {
	if i < 0 || i >= len(r.weights) || len(r.weights) == 1 {
		return
	}
	w := int64(r.weights[i] * r.unit)
	if w == 1 {
		return
	}
	all := r.weak.Load()
	if all == nil {
		fresh := make([]weakness, len(r.weights))
		if all = &fresh; !r.weak.CompareAndSwap(nil, all) {
			if all = r.weak.Load(); all == nil {
				return // the failures of that moment are forgotten already
			}
		}
	}
	has := w - (*all)[i].lacks.Load()
	(*all)[i].lacks.Store(w - (has+1)/2)
}

// lets gives every weak item one back, and says whether i may take its turn.
func (r *RoundRobin) lets(i int) bool {
	all := r.weak.Load()
	if all == nil {
		return true
	}
	whole, lets := true, true
	for k := range *all {
		weak := &(*all)[k]
		lacks := weak.lacks.Load()
		if lacks <= 0 {
			continue
		}
		whole = false
		if k == i {
			w := int64(r.weights[i] * r.unit)
			credit := weak.credit.Add(w - lacks)
			if lets = credit >= w; lets {
				weak.credit.Add(-w)
			}
		}
		weak.lacks.CompareAndSwap(lacks, lacks-1) // one that fails at this moment stays as weak as that made it
	}
	if whole {
		r.weak.CompareAndSwap(all, nil)
	}
	return lets
}
