// Package freeport gives tests ports for servers that start later.
//
// A port that the kernel chose for a listener that is closed again may be gone a moment later:
// any connection that anybody opens on the machine can get it as its local end, and the server
// that was to listen there fails. Package freeport takes ports that the kernel gives to no
// connection, those below ip_local_port_range (ip(7)), and holds each for its process.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
)

// lowest is above the ports that services of a machine have.
const lowest = 10_000

// end is the first port that connections get.
var end = sync.OnceValues(func() (int, error) {
	const file = "/proc/sys/net/ipv4/ip_local_port_range"
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var first int
	if _, err := fmt.Sscan(string(text), &first); err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	if first < lowest+1000 {
		return 0, fmt.Errorf("%s begins at %d and leaves tests no ports: set it to 32768 or above", file, first)
	}
	return first, nil
})

var held struct {
	sync.Mutex
	locks []net.Listener // as long as the process runs
}

// Take is a port that is free for TCP and UDP on every address, that no connection gets, and
// that Take gives to no other process as long as this one runs.
func Take() (int, error) {
	limit, err := end()
	if err != nil {
		return 0, err
	}
	for range 1000 {
		port := lowest + rand.IntN(limit-lowest)
		lock, err := net.Listen("unix", fmt.Sprintf("@sluice-test-port-%d", port)) // a name, no file: unix(7)
		if err != nil {
			continue // another's
		}
		if !free(port) {
			_ = lock.Close()
			continue
		}
		held.Lock()
		held.locks = append(held.locks, lock)
		held.Unlock()
		return port, nil
	}
	return 0, errors.New("no port is free for TCP and UDP")
}

func free(port int) bool {
	address := ":" + strconv.Itoa(port)
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = l.Close() }()
	p, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	_ = p.Close()
	return true
}

// Port is Take for a test.
func Port(t testing.TB) int {
	t.Helper()
	port, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Address is 127.0.0.1 with a port of Take.
func Address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Port(t)))
}
