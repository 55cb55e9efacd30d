package proxy

import (
	"time"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// defaultMaxConnections of a listener: at 1.2 KiB for an idle one, 120 MB.
const defaultMaxConnections = 100_000

// roomLook is how often a full listener looks for an idle connection to close.
const roomLook = 50 * time.Millisecond

// awaitRoom waits until the listener may have one more connection, and returns false when
// the proxy is shut down meanwhile. Until then new clients wait in the kernel's queue, as
// with HAProxy: most of them are served a moment later, while those who are turned away come
// back at once. Connections that are idle are closed first, as nginx does.
func (l *listener) awaitRoom() bool {
	if l.MaxConnections < 0 || l.open.Load() < int64(l.MaxConnections) {
		return true
	}
	if l.paused.Add(1) == 1 {
		l.p.cfg.Log.Warn("a listener has as many connections as it may: new ones wait", "listener", l.Name, "limit", l.MaxConnections)
	}
	look := time.NewTicker(roomLook)
	defer look.Stop()
	for l.open.Load() >= int64(l.MaxConnections) {
		l.p.conns.shed(l)
		select {
		case <-l.freed:
		case <-look.C:
		case <-l.p.quit:
			return false
		}
	}
	return true
}

// freshTime is how long a new connection is left in peace that has not sent a request yet.
const freshTime = int64(5 * time.Second)

// shed has an idle connection of l closed, if one is found at once. One that has got a
// request meanwhile serves it and stays.
func (t *tracker) shed(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	looks := 64 // of many active ones, so that accepting stays cheap
	for c := range t.open {
		settled := c.served.Load() || socket.Now()-c.since > freshTime
		if c.l == l && settled && c.wake() {
			return
		}
		if looks--; looks == 0 {
			return
		}
	}
}

// wake has the connection closed if it is idle. Over HTTP/2 the client is asked first, which
// takes half a second when it does not answer.
func (c *conn) wake() bool {
	if h := c.h2.Load(); h != nil {
		idle := h.Idle()
		if idle {
			h.Drain()
		}
		return idle
	}
	if !c.state.CompareAndSwap(connIdle, connWoken) {
		return false
	}
	c.s.Interrupt()
	return true
}
