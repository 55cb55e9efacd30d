package socket

import "sync/atomic"

// watched knows the descriptors that loops watch, by number.
var watched registry

// registry is a list in pieces, so that it grows without moving.
type registry struct {
	pieces [1 << 11]atomic.Pointer[[1 << 11]atomic.Pointer[desc]]
	seq    atomic.Int32
}

// set notes whose a descriptor is. It reports false for a number that is out of reach.
func (r *registry) set(fd int, d *desc) bool {
	if fd>>11 >= len(r.pieces) {
		return false
	}
	piece := &r.pieces[fd>>11]
	if piece.Load() == nil {
		piece.CompareAndSwap(nil, new([1 << 11]atomic.Pointer[desc]))
	}
	piece.Load()[fd&(1<<11-1)].Store(d)
	return true
}

func (r *registry) find(fd int32) *desc {
	return r.pieces[fd>>11].Load()[fd&(1<<11-1)].Load()
}
