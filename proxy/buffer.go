package proxy

import "github.com/sluice-gateway/sluice/proxy/memory"

// The sizes of buffers: a usual head, a small body, a stream, the largest head with room for the start
// of its body.
const (
	sizeHead   = memory.Size4
	sizeSmall  = memory.Size16
	sizeStream = memory.Size32
	sizeMax    = memory.Size72
)

// getBytes borrows at least n bytes.
func getBytes(n int) []byte {
	b := memory.Lend(n)
	return b[:cap(b)]
}

// putBytes gives back what getBytes returned.
func putBytes(b []byte) { memory.TakeBack(b) }

// buffer holds bytes from a connection: b[:n] is filled. The zero value has no memory.
type buffer struct {
	b []byte
	n int
}

// ensure makes room for at least size bytes in all and keeps the content.
func (b *buffer) ensure(size int) {
	if len(b.b) >= size {
		return
	}
	larger := getBytes(size)
	copy(larger, b.b[:b.n])
	if b.b != nil {
		putBytes(b.b)
	}
	b.b = larger
}

// grow makes room for more. It reports false when the buffer is as large as it may get.
func (b *buffer) grow() bool {
	if b.n < len(b.b) {
		return true
	}
	if len(b.b) >= sizeMax {
		return false
	}
	b.ensure(len(b.b) + 1)
	return true
}

// free is the room at the end.
func (b *buffer) free() []byte { return b.b[b.n:] }

// filled is the content.
func (b *buffer) filled() []byte { return b.b[:b.n] }

// drop removes the first k bytes.
func (b *buffer) drop(k int) {
	if k == b.n {
		b.n = 0
		return
	}
	copy(b.b, b.b[k:b.n])
	b.n -= k
}

// keep empties the buffer, and gives the memory back unless it has just that size: what is pooled
// itself keeps it, which spares a trip to the pool for each request.
func (b *buffer) keep(size int) {
	if len(b.b) != size {
		b.release()
	}
	b.n = 0
}

// release gives the memory back.
func (b *buffer) release() {
	if b.b != nil {
		putBytes(b.b)
	}
	*b = buffer{}
}
