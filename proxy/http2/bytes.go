package http2

import "github.com/sluice-gateway/sluice/proxy/memory"

// keptBytes is how much memory a stream keeps.
const keptBytes = 8 << 10

// modest keeps memory that did not grow out of hand.
func modest(b []byte) []byte {
	if cap(b) > keptBytes {
		return nil
	}
	return b[:0]
}

// join appends p to b, which may be lent; from keptBytes on it is.
func join(b, p []byte) []byte {
	need := len(b) + len(p)
	if need <= max(cap(b), keptBytes) {
		return append(b, p...)
	}
	larger := append(append(memory.Lend(need), b...), p...)
	memory.TakeBack(b)
	return larger
}

// done is modest for what join has made.
func done(b []byte) []byte {
	if cap(b) > keptBytes {
		memory.TakeBack(b)
	}
	return modest(b)
}
