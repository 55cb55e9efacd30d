package http2

import (
	"time"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// waiter lets one goroutine wait for others, with a deadline.
type waiter struct {
	wake    chan struct{}
	timer   *time.Timer
	waiting bool // guarded by the connection's mu
}

func (w *waiter) init() { w.wake = make(chan struct{}, 1) }

// signal wakes the one that waits. The connection's mu is held.
func (w *waiter) signal() {
	if !w.waiting {
		return
	}
	w.waiting = false
	w.wake <- struct{}{} // never blocks: one token for each wait
}

// wait gives mu up until signal, or until the deadline (in the unit of socket.Now; 0: none)
// has passed, which it reports with socket.ErrTimeout.
func (w *waiter) wait(c *Conn, deadline int64) error {
	w.waiting = true
	c.mu.Unlock()
	defer c.mu.Lock()
	if deadline == 0 {
		<-w.wake
		return nil
	}
	left := time.Duration(deadline - socket.Now())
	if w.timer == nil {
		w.timer = time.NewTimer(left)
	} else {
		w.timer.Reset(left)
	}
	select {
	case <-w.wake:
		w.timer.Stop()
		return nil
	case <-w.timer.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !w.waiting { // the signal came first after all
		<-w.wake
		return nil
	}
	w.waiting = false
	return socket.ErrTimeout
}
