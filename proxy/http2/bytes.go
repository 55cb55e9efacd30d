package http2

import "sync"

// The sizes of memory for bodies that is lent and taken back: two records of TLS, and the windows of
// both sides. What is smaller stays with its stream, see modest.
const (
	lent16  = 16 << 10
	lent64  = 64 << 10
	lent256 = 256 << 10
)

var (
	pool16  = sync.Pool{New: func() any { return new([lent16]byte) }}
	pool64  = sync.Pool{New: func() any { return new([lent64]byte) }}
	pool256 = sync.Pool{New: func() any { return new([lent256]byte) }}
)

// join appends p to b. Memory that b outgrows is taken back.
func join(b, p []byte) []byte {
	need := len(b) + len(p)
	if need <= max(cap(b), keptBytes) {
		return append(b, p...)
	}
	var larger []byte
	switch {
	case need <= lent16:
		larger = pool16.Get().(*[lent16]byte)[:0]
	case need <= lent64:
		larger = pool64.Get().(*[lent64]byte)[:0]
	case need <= lent256:
		larger = pool256.Get().(*[lent256]byte)[:0]
	}
	larger = append(append(larger, b...), p...)
	takeBack(b)
	return larger
}

// done is modest for what join has made.
func done(b []byte) []byte {
	takeBack(b)
	return modest(b)
}

// takeBack takes memory that was lent, which nobody may use any more.
func takeBack(b []byte) {
	switch cap(b) {
	case lent16:
		pool16.Put((*[lent16]byte)(b[:lent16]))
	case lent64:
		pool64.Put((*[lent64]byte)(b[:lent64]))
	case lent256:
		pool256.Put((*[lent256]byte)(b[:lent256]))
	}
}
