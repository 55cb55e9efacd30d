package proxy

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// onLoop is called by a loop, as a [socket.Watcher] or as a [socket.Stepper].
type onLoop func(t socket.Turn)

func (f onLoop) Ready(t socket.Turn) { f(t) }
func (f onLoop) Step(t socket.Turn)  { f(t) }

// A tunnel that always has more to pass on lets others have their turn.
func TestBusyTunnelTakesTurns(t *testing.T) {
	pair := func() (*socket.Conn, net.Conn) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ln.Close() }()
		far, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		near, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c := socket.New(near)
		if !c.Attach() {
			t.Fatal("not attached")
		}
		t.Cleanup(func() { _ = far.Close() })
		return c, far
	}
	src, source := pair()
	dst, sink := pair()
	bell, ringer := pair()
	go func() { _, _ = io.Copy(io.Discard, sink) }() // until it is closed
	go func() { _, _ = source.Write(make([]byte, 2<<20)) }()
	time.Sleep(200 * time.Millisecond) // much of that has come

	tn := &tunnel{c: &conn{p: New(Config{})}}
	tn.up = way{t: tn, src: src, dst: dst}
	turns, moved := 0, make(chan int64, 1)
	var count onLoop
	count = func(t socket.Turn) {
		if turns++; turns < 20 {
			t.Later(count)
			return
		}
		tn.mu.Lock()
		defer tn.mu.Unlock()
		tn.over = true
		moved <- tn.up.moved
	}
	if waits, err := bell.Watch(onLoop(func(t socket.Turn) {
		tn.up.Ready(t)
		t.Later(count)
	})); !waits || err != nil {
		t.Fatal(waits, err)
	}
	_, _ = io.WriteString(ringer, "x")
	if n := <-moved; n == 0 || n > mostFills*sizeSmall {
		t.Errorf("%d bytes in one turn", n)
	}
	for _, c := range []*socket.Conn{src, dst, bell} {
		_ = c.Close()
	}
}
