package socket

// prefetch has the processor fetch a block of memory at each address, and goes on at once.
//
//go:noescape
func prefetch(blocks *near)
