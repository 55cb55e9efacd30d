//go:build !amd64

package socket

// prefetch leaves it to the processor to fetch the blocks when they are wanted.
func prefetch(*near) {}
