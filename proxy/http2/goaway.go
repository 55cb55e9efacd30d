package http2

import (
	"time"

	"golang.org/x/net/http2"
)

// drainWait is how long after the first GOAWAY the second one follows when the peer does not
// answer the PING between them.
const drainWait = 500 * time.Millisecond

// Drain ends the connection in two steps, RFC 9113 section 6.8: the peer is told to open no
// more streams, those that were on their way are still served, and the connection closes
// when the last stream has ended.
func (c *Conn) Drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && !c.draining {
		c.drain()
	}
}

// drain is Drain. mu is held.
func (c *Conn) drain() {
	if c.client {
		c.draining = true
		if len(c.streams) == 0 {
			c.s.Interrupt()
		}
		return
	}
	c.draining, c.pinged = true, true
	c.out = appendGoAway(c.ready(64), 1<<31-1, NoError)
	c.out = appendPing(c.out, false, [8]byte{'s', 'l', 'u', 'i', 'c', 'e'})
	c.kick()
	time.AfterFunc(drainWait, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.pinged {
			c.pinged = false
			c.lastGoAway()
		}
	})
}

// lastGoAway is the second step. mu is held.
func (c *Conn) lastGoAway() {
	if c.err != nil {
		return
	}
	c.finalStep = true
	c.out = appendGoAway(c.ready(32), c.last, NoError)
	c.kick()
	if c.running == 0 {
		c.s.Interrupt()
	}
}

// takeGoAway notes that the peer takes no more streams. Those that it did not begin may be
// tried elsewhere. mu is held.
func (c *Conn) takeGoAway(f *http2.GoAwayFrame) {
	if !c.client {
		return // it opens no more streams, and there are none of ours
	}
	c.draining = true
	for id, st := range c.streams {
		if id > f.LastStreamID {
			delete(c.streams, id)
			st.fail(ErrRefused)
		}
	}
	if len(c.streams) == 0 {
		c.s.Interrupt()
	}
}
