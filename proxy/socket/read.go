package socket

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// Read reads at least one byte into p, or returns io.EOF, ErrTimeout, ErrInterrupted or
// what the network says.
func (c *Conn) Read(p []byte) (int, error) {
	if c.low != nil {
		return c.readTLS(p, waits)
	}
	c.dst = p
	return c.readSocket()
}

// ReadInto is Read for a connection that may stay idle: borrow is called for the buffer
// when it is time to read, and giveUp takes it back when there was nothing to read yet.
func (c *Conn) ReadInto(borrow func() []byte, giveUp func()) (n int, err error) {
	h := once{borrow, giveUp, 0}
	err = c.Serve(&h)
	return h.n, err
}

// once is the handler of a single read.
type once struct {
	borrow func() []byte
	giveUp func()
	n      int
}

func (o *once) Borrow() []byte  { return o.borrow() }
func (o *once) GiveUp()         { o.giveUp() }
func (o *once) Take(n int) bool { o.n = n; return false }

// Handler takes what comes over a connection that may stay idle. It is called by the goroutine
// in [Conn.Serve].
type Handler interface {
	// Borrow is the buffer to read into, when it is time to read.
	Borrow() []byte
	// GiveUp takes the buffer back when there was nothing to read yet.
	GiveUp()
	// Take is told how many bytes are in the buffer, and says whether to go on. It may write to
	// the connection, and must not read from it.
	Take(n int) (more bool)
}

// Serve reads as ReadInto does, again and again, and hands what came to h, which says
// whether to go on. The next wait begins where the last read ended, without asking the socket
// first: what comes meanwhile is remembered by the poller. That spares each request a system
// call that finds nothing. Serve returns nil when h wants no more, and otherwise what Read does.
//
// A peer that sends its last bytes and its FIN at one time wakes the poller once, so the end
// is seen when the deadline has passed: choose a near one, and go on when it was ErrTimeout.
func (c *Conn) Serve(h Handler) error {
	if c.raw == nil {
		for {
			n, err := c.Read(h.Borrow())
			if err != nil || !h.Take(n) {
				return err
			}
		}
	}
	c.handler = h
	defer func() { c.handler = nil }()
	if c.low != nil {
		return c.serveTLS()
	}
	_, err := c.readSocket()
	return err
}

// readSocket reads below TLS, into dst.
func (c *Conn) readSocket() (n int, err error) {
	for {
		if c.raw != nil {
			err = c.raw.Read(c.readFn)
			if err == nil && c.asking {
				if err = c.askOn(); err == nil {
					continue
				}
				return 0, err
			}
			if err == nil {
				n, err = c.n, c.err
			}
		} else {
			c.waitRead()
			if n, err = c.nc.Read(c.dst); n > 0 {
				err = nil
				c.in.pace.end(n)
			}
		}
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			c.dst = nil
			return n, err
		}
		if err = c.readTimeout(); err != nil {
			return 0, err
		}
	}
}

// readTimeout tells what a fired timer means: an interruption, the deadline, or an earlier
// deadline that is wanted no more.
func (c *Conn) readTimeout() error {
	if c.in.stopped.Load() {
		return ErrInterrupted
	}
	due := c.in.due()
	if due != 0 && Now() >= due {
		return ErrTimeout
	}
	err := c.nc.SetReadDeadline(deadline(due, &c.in.armed))
	if c.in.stopped.Load() { // lost the race against Interrupt
		_ = c.nc.SetReadDeadline(past)
	}
	return err
}

// armRead makes sure that a wait ends no later than wanted.
func (c *Conn) armRead() {
	if due := c.in.due(); due != 0 && (c.in.armed == 0 || due < c.in.armed) {
		_ = c.nc.SetReadDeadline(deadline(due, &c.in.armed))
		if c.in.stopped.Load() { // lost the race against Interrupt
			_ = c.nc.SetReadDeadline(past)
		}
	}
}

// tryRead is called by the runtime with the descriptor, first at once and then whenever it
// may be readable. It returns false to wait.
func (c *Conn) tryRead(fd uintptr) bool {
	if c.asking {
		return c.tryAsk(fd)
	}
	if c.handler != nil {
		c.dst = c.handler.Borrow()
	}
	for {
		n, errno := rawRead(fd, c.dst)
		switch {
		case errno == 0 && n == 0:
			c.n, c.err = 0, io.EOF
			return true
		case errno == 0:
			if c.in.pace.counts() {
				c.in.pace.end(n)
			}
			if c.handler == nil {
				c.n, c.err = n, nil
				return true
			}
			short := n < len(c.dst)
			if !c.handler.Take(n) {
				c.n, c.err = 0, nil
				return true
			}
			if short {
				c.wait()
				return false
			}
			c.dst = c.handler.Borrow()
			continue
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			c.wait()
			return false
		}
		c.n, c.err = 0, os.NewSyscallError("read", errno)
		return true
	}
}

// wait begins a wait, without the buffer if it was borrowed.
func (c *Conn) wait() {
	if c.handler != nil {
		c.dst = nil
		c.handler.GiveUp()
	}
	c.waitRead()
}

// readNow takes what has arrived below TLS, or returns errWait.
func (c *Conn) readNow(p []byte) (n int, err error) {
	c.dst = p
	if err := c.raw.Control(c.low.nowFn); err != nil {
		return 0, err
	}
	c.dst = nil
	return c.n, c.err
}

func (c *Conn) takeNow(fd uintptr) {
	n, errno := rawRead(fd, c.dst)
	for errno == syscall.EINTR {
		n, errno = rawRead(fd, c.dst)
	}
	switch {
	case errno == syscall.EAGAIN:
		c.n, c.err = 0, errWait
	case errno != 0:
		c.n, c.err = 0, os.NewSyscallError("read", errno)
	case n == 0:
		c.n, c.err = 0, io.EOF
	default:
		if c.in.pace.counts() {
			c.in.pace.end(n)
		}
		c.n, c.err = n, nil
	}
}

// serveTLS is Serve for a connection with TLS. It waits without a buffer, and with nothing in
// crypto/tls but a part of a record.
func (c *Conn) serveTLS() error {
	for mode := never; c.pump(mode); mode = instant {
		err := c.raw.Read(c.low.waitFn)
		switch {
		case err == nil && c.done:
			return c.err
		case err != nil && errors.Is(err, os.ErrDeadlineExceeded):
			err = c.readTimeout()
		}
		if err != nil {
			return err
		}
	}
	return c.err
}

// pump hands on the plain text that can be had now. It reports false when that was the end, as
// err tells.
func (c *Conn) pump(mode readMode) bool {
	for c.done = false; !c.done; {
		var n int
		n, c.err = c.readTLS(c.handler.Borrow(), mode)
		switch {
		case c.err == nil:
			c.low.took = true
			c.done = !c.handler.Take(n)
		case errors.Is(c.err, errWait):
			c.handler.GiveUp()
			c.low.holds = false
			trim(c.low.tls)
			return true
		default:
			c.done = true
		}
	}
	return false
}

// tryAhead is called by the runtime as tryRead is. It holds a buffer only when it got
// something, and leaves the end of the stream to the next read: two system calls for a wait,
// as without TLS. Behind a part of a record it looks for the end at once, since whoever reads
// once may wait without a deadline.
func (c *Conn) tryAhead(fd uintptr) bool {
	l := c.low
	for {
		l.ahead = aheads.Get().(*[aheadSize]byte)
		n, errno := rawRead(fd, l.ahead[:])
		for errno == syscall.EINTR {
			n, errno = rawRead(fd, l.ahead[:])
		}
		if n <= 0 || errno != 0 {
			l.release()
			if errno == syscall.EAGAIN {
				c.armRead()
				return false
			}
			return true
		}
		l.from, l.to, l.took = 0, uint16(n), false
		l.holds, l.short = true, n < aheadSize // the handler may want no more before all is read
		if !c.pump(never) {
			return true
		}
		if n < aheadSize && l.took {
			c.armRead()
			return false
		}
	}
}
