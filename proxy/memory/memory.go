// Package memory lends byte slices of a few sizes, so that what is needed for a moment only is
// no garbage.
package memory

import (
	"sync"
	"unsafe"
)

// The sizes: a usual head, a small body or the frames that wait to be written, a stream, the largest head
// with room for the start of its body, the frames that may wait at the most, and the window of an
// HTTP/2 endpoint's stream.
const (
	Size4   = 4 << 10
	Size16  = 16 << 10
	Size32  = 32 << 10
	Size72  = 72 << 10
	Size160 = 160 << 10
	Size256 = 256 << 10
)

var (
	sizes = [...]int{Size4, Size16, Size32, Size72, Size160, Size256}
	pools [len(sizes)]sync.Pool // of *byte, the first one
)

// Lend returns an empty slice with room for n bytes: the smallest of the sizes that will do as its
// capacity. Beyond the largest size it is a new one, which is not taken back.
func Lend(n int) []byte {
	for i, size := range sizes {
		if n > size {
			continue
		}
		if first, ok := pools[i].Get().(*byte); ok {
			return unsafe.Slice(first, size)[:0]
		}
		return make([]byte, 0, size)
	}
	return make([]byte, 0, n)
}

// TakeBack takes what Lend has lent, from its start. Nobody may use it any more. What has another
// capacity is left to the collector.
func TakeBack(b []byte) {
	for i, size := range sizes {
		if cap(b) == size {
			pools[i].Put(unsafe.SliceData(b))
			return
		}
	}
}
