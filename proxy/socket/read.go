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
func (c *Conn) ReadInto(borrow func() []byte, giveUp func()) (int, error) {
	if c.tls != nil && c.raw != nil {
		return c.readTLSInto(borrow, giveUp)
	}
	if c.raw == nil {
		return c.Read(borrow())
	}
	c.dst, c.borrow, c.giveUp = nil, borrow, giveUp
	n, err := c.readSocket()
	c.borrow, c.giveUp = nil, nil
	return n, err
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
	c.in.armed = 0
	return c.nc.SetReadDeadline(deadline(due, &c.in.armed))
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
			c.n, c.err = n, nil
			return true
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			if c.giveUp != nil {
				c.dst = nil
				c.giveUp()
			}
			c.waitRead()
			return false
		}
		c.n, c.err = 0, os.NewSyscallError("read", errno)
		return true
	}
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

// readAhead waits until there is something to read below TLS, and reads it: two system
// calls for a wait, as without TLS. It is called when nothing is left ahead. The end of the
// stream is left for the next read.
func (c *Conn) readAhead() error {
	if c.waitFn == nil {
		c.waitFn = c.tryAhead
	}
	for {
		err := c.raw.Read(c.waitFn)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if err = c.readTimeout(); err != nil {
			return err
		}
	}
}

// tryAhead is called by the runtime as tryRead is. It holds a buffer only when it got
// something.
func (c *Conn) tryAhead(fd uintptr) bool {
	l := c.low
	l.ahead = aheads.Get().(*[aheadSize]byte)
	n, errno := rawRead(fd, l.ahead[:])
	for errno == syscall.EINTR {
		n, errno = rawRead(fd, l.ahead[:])
	}
	if n > 0 && errno == 0 {
		l.from, l.to = 0, n
		return true
	}
	l.release()
	if errno == syscall.EAGAIN {
		c.armRead()
		return false
	}
	return true
}
