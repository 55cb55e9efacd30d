package freeport

import (
	"net"
	"testing"
)

func TestTake(t *testing.T) {
	limit, err := end()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for range 100 {
		port := Port(t)
		if seen[port] || port < lowest || port >= limit {
			t.Errorf("port %d: taken before: %v; the kernel's begin at %d", port, seen[port], limit)
		}
		seen[port] = true
	}
	address := Address(t)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if port := l.Addr().(*net.TCPAddr).Port; seen[port] || free(port) {
		t.Errorf("port %d is in use and taken for free", port)
	}
}
