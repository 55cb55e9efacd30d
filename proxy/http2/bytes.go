package http2

import "sync"

// The sizes of memory that is lent and taken back: frames that wait to be written, in the usual case and
// at the most, and the windows of both sides for bodies that wait to be taken.
const (
	lent16  = 16 << 10
	lent64  = 64 << 10
	lent160 = 160 << 10
	lent256 = 256 << 10
)

var (
	pool16  = sync.Pool{New: func() any { return new([lent16]byte) }}
	pool64  = sync.Pool{New: func() any { return new([lent64]byte) }}
	pool160 = sync.Pool{New: func() any { return new([lent160]byte) }}
	pool256 = sync.Pool{New: func() any { return new([lent256]byte) }}
)

// lend gives memory for n bytes.
func lend(n int) []byte {
	switch {
	case n <= lent16:
		return pool16.Get().(*[lent16]byte)[:0]
	case n <= lent64:
		return pool64.Get().(*[lent64]byte)[:0]
	case n <= lent160:
		return pool160.Get().(*[lent160]byte)[:0]
	case n <= lent256:
		return pool256.Get().(*[lent256]byte)[:0]
	}
	return make([]byte, 0, n)
}

// takeBack takes memory that may be lent, which nobody may use any more.
func takeBack(b []byte) {
	switch cap(b) {
	case lent16:
		pool16.Put((*[lent16]byte)(b[:lent16]))
	case lent64:
		pool64.Put((*[lent64]byte)(b[:lent64]))
	case lent160:
		pool160.Put((*[lent160]byte)(b[:lent160]))
	case lent256:
		pool256.Put((*[lent256]byte)(b[:lent256]))
	}
}

// join appends p to b, which may be lent. Small memory stays with its stream, see modest.
func join(b, p []byte) []byte {
	need := len(b) + len(p)
	if need <= max(cap(b), keptBytes) {
		return append(b, p...)
	}
	larger := append(append(lend(need), b...), p...)
	takeBack(b)
	return larger
}

// done is modest for what join has made.
func done(b []byte) []byte {
	takeBack(b)
	return modest(b)
}
