package http2

import "github.com/sluice-gateway/sluice/proxy/socket"

// silence is how long, in nanoseconds, a peer may say nothing after it was asked until a request
// that is given up tells that the connection leads nowhere.
const silence = int64(1e9)

// asks notes that a request goes out now. mu is held.
func (c *Conn) asks() {
	c.activeAt = socket.Now()
	if c.askedAt <= c.heardAt.Load() {
		c.askedAt = c.activeAt
	}
}

// doubt takes no more streams once one is given up on a connection that has been silent. What is
// on the way may have forgotten it, or the peer hang: the kernel tells after a quarter of an hour,
// and every request until then would be lost. mu is held.
func (c *Conn) doubt() {
	if !c.draining && c.askedAt > c.heardAt.Load() && socket.Now()-c.askedAt >= silence {
		c.drain()
	}
}
