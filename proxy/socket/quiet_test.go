package socket

import (
	"net"
	"testing"
	"time"
)

// Quiet tells connections on which nothing has happened from all others.
func TestQuiet(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	pair := func(own bool) (*Conn, net.Conn) {
		near, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		far, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c := New(near)
		if own {
			c.Own()
		}
		t.Cleanup(func() { _, _ = c.Close(), far.Close() })
		return c, far
	}
	silent, _ := pair(true)
	spoken, speaker := pair(true)
	left, leaver := pair(true)
	reset, resetter := pair(true)
	foreign, _ := pair(false)
	gone, _ := pair(true)
	_ = gone.Close()
	if _, err := speaker.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = leaver.Close()
	_ = resetter.(*net.TCPConn).SetLinger(0)
	_ = resetter.Close()

	conns, want := []*Conn{silent, spoken, left, reset, foreign, gone}, []bool{true, false, false, false, false, false}
	quiet := make([]bool, len(conns))
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		clear(quiet)
		Quiet(conns, quiet)
		same := true
		for i := range want {
			same = same && quiet[i] == want[i]
		}
		if same {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("quiet %v, want %v", quiet, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Quiet(conns, quiet) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
