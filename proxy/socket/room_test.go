package socket

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// Who takes a little of what waits, and makes no room by that, is given time by a loop as well.
func TestSlowTakerOfLoop(t *testing.T) {
	c, far := attached(t)
	if err := c.d.call("setsockopt", func(fd int) error {
		return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 200<<10)
	}); err != nil {
		t.Fatal(err)
	}
	if err := far.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	c.PaceWrites(&Pace{Rate: 1, Grace: int64(time.Hour), Stall: int64(500 * time.Millisecond)})
	if c.WriteNow(make([]byte, 1<<20), nil) {
		t.Fatal("1 MiB at once")
	}
	w := newWatcher()
	look := func() error {
		t.Helper()
		for {
			waits, err := c.WatchRoom(w)
			if waits {
				w.wait(t)
			}
			if waits || err != nil {
				return err
			}
		}
	}
	full := c.Unsent()
	go func() { // while it is waited
		time.Sleep(50 * time.Millisecond)
		_, _ = io.ReadFull(far, make([]byte, 50<<10))
	}()
	if err := look(); err != nil {
		t.Fatal(err)
	}
	if left := c.Unsent(); left == full {
		t.Fatal("nothing was taken")
	}
	if err := look(); err != nil {
		t.Fatalf("after something was taken: %v", err)
	}
	if err := look(); !errors.Is(err, ErrTimeout) {
		t.Errorf("after nothing was: %v", err)
	}
}
