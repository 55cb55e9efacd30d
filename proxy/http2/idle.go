package http2

import "github.com/sluice-gateway/sluice/proxy/socket"

// Idle says whether the connection has no streams and has not been told to close. PINGs and
// other frames without a request make no connection busy.
func (c *Conn) Idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil && !c.draining && !c.busy()
}

// busy says whether there are streams. mu is held.
func (c *Conn) busy() bool { return len(c.streams) > 0 || c.running > 0 }

// idleBy is when a wait for frames that begins now is over: the idle time after the last stream
// has ended. Frames without a stream do not move it.
func (c *Conn) idleBy(now int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy() || c.draining {
		return now + int64(c.cfg.Idle)
	}
	return c.activeAt + int64(c.cfg.Idle)
}

// idle decides when the wait is over whether the connection ends at once. A server asks its
// client first to open no more streams, so that a request which is on its way now is served.
// The goroutines that have nothing to do end.
func (c *Conn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dismiss()
	switch {
	case c.busy() || socket.Now()-c.activeAt < int64(c.cfg.Idle):
		return false
	case !c.client && !c.draining:
		c.drain()
		return false
	}
	c.draining = true // a client opens no stream any more, which would be lost
	c.out = appendGoAway(c.ready(32), c.last, NoError)
	c.kick()
	return true
}
