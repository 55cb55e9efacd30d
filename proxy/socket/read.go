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
	if c.tls != nil {
		return c.readTLS(p, waits)
	}
	c.dst = p
	return c.readSocket()
}

// ReadInto is Read for a connection that may stay idle: borrow is called for the buffer
// when it is time to read, and giveUp takes it back when there was nothing to read yet.
func (c *Conn) ReadInto(borrow func() []byte, giveUp func()) (n int, err error) {
	err = c.Serve(borrow, giveUp, func(k int) bool { n = k; return false })
	return n, err
}

// Serve reads as ReadInto does, again and again, and hands what came to serve, which says
// whether to go on. The next wait begins where the last read ended, without asking the socket
// first: what comes meanwhile is remembered by the poller. That spares each request a system
// call that finds nothing. serve may write to the connection, and must not read from it.
// Serve returns nil when serve wants no more, and otherwise what Read does.
//
// A peer that sends its last bytes and its FIN at one time wakes the poller once, so the end
// is seen when the deadline has passed: choose a near one, and go on when it was ErrTimeout.
func (c *Conn) Serve(borrow func() []byte, giveUp func(), serve func(n int) bool) error {
	if c.raw == nil {
		for {
			n, err := c.Read(borrow())
			if err != nil || !serve(n) {
				return err
			}
		}
	}
	c.borrow, c.giveUp, c.serve = borrow, giveUp, serve
	var err error
	if c.tls != nil {
		err = c.serveTLS()
	} else {
		_, err = c.readSocket()
	}
	c.borrow, c.giveUp, c.serve = nil, nil, nil
	return err
}

// readSocket reads below TLS, into dst.
func (c *Conn) readSocket() (n int, err error) {
	for {
		if c.raw != nil {
			if err = c.raw.Read(c.readFn); err == nil {
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
	if c.borrow != nil {
		c.dst = c.borrow()
	}
	for {
		n, errno := rawRead(fd, c.dst)
		switch {
		case errno == 0 && n == 0:
			c.n, c.err = 0, io.EOF
			return true
		case errno == 0:
			if c.in.pace.Rate > 0 {
				c.in.pace.end(n)
			}
			if c.serve == nil {
				c.n, c.err = n, nil
				return true
			}
			short := n < len(c.dst)
			if !c.serve(n) {
				c.n, c.err = 0, nil
				return true
			}
			if short {
				c.wait()
				return false
			}
			c.dst = c.borrow()
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
	if c.giveUp != nil {
		c.dst = nil
		c.giveUp()
	}
	c.waitRead()
}

// readNow takes what has arrived below TLS, or returns errWait.
func (c *Conn) readNow(p []byte) (n int, err error) {
	if c.nowFn == nil {
		c.nowFn = c.takeNow
	}
	c.dst = p
	if err := c.raw.Control(c.nowFn); err != nil {
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
		c.n, c.err = n, nil
	}
}

// serveTLS is Serve for a connection with TLS. It waits without a buffer, and with nothing in
// crypto/tls but a part of a record.
func (c *Conn) serveTLS() error {
	if c.waitFn == nil {
		c.waitFn = c.tryAhead
	}
	for mode := never; c.pump(mode); mode = instant {
		err := c.raw.Read(c.waitFn)
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
		n, c.err = c.readTLS(c.borrow(), mode)
		switch {
		case c.err == nil:
			c.done = !c.serve(n)
		case errors.Is(c.err, errWait):
			c.giveUp()
			trim(c.tls)
			return true
		default:
			c.done = true
		}
	}
	return false
}

// tryAhead is called by the runtime as tryRead is. It holds a buffer only when it got
// something, and leaves the end of the stream to the next read: two system calls for a wait,
// as without TLS.
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
		l.from, l.to = 0, n
		if !c.pump(never) {
			return true
		}
		if n < aheadSize {
			c.armRead()
			return false
		}
	}
}
