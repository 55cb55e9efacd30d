package proxy

import (
	"errors"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// firstLook is how soon an idle connection is looked at that no loop watches, for a FIN that came
// with the last request (see [socket.Conn.ReadInto]).
const firstLook = int64(1e9)

// next is how a wait for a request ended.
type next uint8

const (
	over      next = iota // there will be no more
	come                  // there are bytes of one
	leftAlone             // a loop waits on, and the connection is its
)

// await waits for a request, or leaves that to a loop.
func (c *conn) await() next {
	c.readyAt = socket.Now()
	c.s.PaceReads(nil)
	if c.in != nil && c.in.buf.n > 0 && !c.passOver() { // pipelined
		return come
	}
	left := c.began && (c.s.Attached() || c.p.conns.attach(c)) // before rest, which asks
	c.rest(c.readyAt)
	if left {
		return c.look()
	}
	err := socket.ErrInterrupted
	for end := c.readyAt + c.p.times.idle; !c.p.closing.Load(); { // else drain may have come by before rest
		var n int
		if n, err = c.s.ReadInto(c.Borrow, c.GiveUp); err == nil {
			c.arrived(n, socket.Now())
			return come
		}
		if !errors.Is(err, socket.ErrTimeout) || socket.Now() >= end {
			break
		}
		c.s.SetReadDeadline(end)
		err = socket.ErrInterrupted
	}
	if errors.Is(err, socket.ErrInterrupted) {
		// Shutting down. A request that has arrived already is served, so that closing an
		// idle connection loses none.
		c.rouse()
		if n := c.s.Last(c.Borrow()); n > 0 {
			c.arrived(n, socket.Now())
			return come
		}
	}
	return over
}

// passOver drops an empty line, once behind a request: some clients end a body with it, and say nothing
// more for a while (RFC 9112 section 2.2).
func (c *conn) passOver() bool {
	if !c.began || c.blank || string(c.in.buf.filled()) != "\r\n" {
		return false
	}
	c.blank, c.in.buf.n = true, 0
	return true
}

// rest makes the connection idle.
func (c *conn) rest(now int64) {
	wait := c.p.times.idle
	if !c.s.Attached() {
		wait = min(firstLook, wait)
	}
	c.s.SetReadDeadline(now + wait)
	c.state.Store(connIdle)
}

// arrived makes the connection active: it has got n bytes.
func (c *conn) arrived(n int, now int64) {
	c.rouse()
	c.in.buf.n += n
	c.readyAt = now
}

// rouse makes it active.
func (c *conn) rouse() {
	if !c.state.CompareAndSwap(connIdle, connActive) {
		c.p.conns.barrier()
		c.s.Resume()
		c.state.Store(connActive)
	}
}

// Ready implements [socket.Watcher] for an idle connection.
func (c *conn) Ready(t socket.Turn) {
	defer c.rescue()
	switch n := c.s.ReadNow(c.Borrow()); n {
	case socket.Failed:
		c.close(nil)
	case socket.Nothing:
		c.goOn(c.doze())
	default:
		c.arrived(n, t.Now)
		if !t.Later(c) {
			c.start(t)
		}
	}
}

// Step implements [socket.Stepper] for a connection on which a request has come.
func (c *conn) Step(t socket.Turn) {
	defer c.rescue()
	c.start(t)
}

// look reads what has come, and leaves the connection to its loop if that is nothing.
func (c *conn) look() next {
	switch n := c.s.ReadNow(c.Borrow()); n {
	case socket.Failed:
		return over
	case socket.Nothing:
		return c.doze()
	default:
		c.arrived(n, socket.Now())
		return come
	}
}

// doze leaves an idle connection to its loop, unless something has come already.
func (c *conn) doze() next {
	for {
		if c.in != nil {
			c.GiveUp()
		}
		waits, err := false, socket.ErrInterrupted
		if !c.p.closing.Load() { // else drain may have come by before rest
			waits, err = c.s.Watch(c)
		}
		if waits {
			return leftAlone
		}
		n := c.s.ReadNow(c.Borrow())
		switch {
		case n > 0: // also when shutting down, so that closing an idle connection loses no request
			c.arrived(n, socket.Now())
			return come
		case n == socket.Failed || err != nil:
			return over
		}
	}
}

// goOn goes on after a wait that a loop did not end: what it knows of other connections may be older
// than what has come over this one.
func (c *conn) goOn(n next) {
	switch n {
	case over:
		c.close(nil)
	case come:
		c.start(socket.Turn{})
	}
}

// onward goes on after an exchange.
func (c *conn) onward(again bool) {
	if !c.end(again) {
		if c.lingers {
			go c.close(nil)
		} else {
			c.close(nil)
		}
		return
	}
	c.s.PaceReads(nil)
	c.readyAt = c.endedAt // of what is there already
	if c.in.buf.n > 0 {
		c.goOn(come)
		return
	}
	c.rest(c.endedAt)
	if c.s.Holds() {
		c.goOn(c.look())
	} else {
		c.goOn(c.doze())
	}
}
