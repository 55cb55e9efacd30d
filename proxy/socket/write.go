package socket

import (
	"errors"
	"os"
	"syscall"
)

func (c *Conn) armWrite() {
	if due := c.out.due(); due != 0 && (c.out.armed == 0 || due < c.out.armed) {
		_ = c.nc.SetWriteDeadline(deadline(due, &c.out.armed))
		if c.out.stopped.Load() {
			_ = c.nc.SetWriteDeadline(past)
		}
	}
}

// Write writes p whole. It returns how much was written besides the error.
func (c *Conn) Write(p []byte) (int, error) { return c.Write2(p, nil) }

// Write2 writes p and q whole, in one system call where possible.
func (c *Conn) Write2(p, q []byte) (int, error) {
	if c.low != nil {
		return c.writeTLS(p, q)
	}
	return c.writeSocket(p, q)
}

// writeSocket writes below TLS.
func (c *Conn) writeSocket(p, q []byte) (int, error) {
	c.written = 0
	if c.raw == nil {
		return c.writePlain(p, q)
	}
	if len(p) == 0 {
		p, q = q, nil
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.held != none && !c.out.stopped.Load() {
		n, errno := rawWrite2(uintptr(c.held), p, q)
		if errno == 0 {
			c.written = n
			c.wrote(n)
			if n == len(p)+len(q) {
				return n, nil
			}
			p, q = rest(p, q, n)
		}
	}
	c.src[0], c.src[1] = p, q
	for {
		err := c.raw.Write(c.writeFn)
		if err == nil {
			err = c.werr
		}
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			c.src[0], c.src[1] = nil, nil
			return c.written, err
		}
		if err = c.writeTimeout(); err != nil {
			return c.written, err
		}
	}
}

func (c *Conn) writePlain(p, q []byte) (int, error) {
	for _, b := range [2][]byte{p, q} {
		for len(b) > 0 {
			if c.out.pace.counts() {
				c.out.pace.begin(Now())
			}
			c.armWrite()
			n, err := c.nc.Write(b)
			c.out.pace.end(n)
			c.written += n
			b = b[n:]
			if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
				err = c.writeTimeout()
			}
			if err != nil {
				return c.written, err
			}
		}
	}
	return c.written, nil
}

func (c *Conn) writeTimeout() error {
	if c.out.stopped.Load() {
		return ErrInterrupted
	}
	due := c.out.due()
	if now := Now(); due != 0 && now >= due {
		if !c.taking(now) {
			return ErrTimeout
		}
		due = c.out.due()
	}
	err := c.nc.SetWriteDeadline(deadline(due, &c.out.armed))
	if c.out.stopped.Load() { // lost the race against InterruptWrite
		_ = c.nc.SetWriteDeadline(past)
	}
	return err
}

// tryWrite writes what is left of src. It returns false to wait for room.
func (c *Conn) tryWrite(fd uintptr) bool {
	for {
		n, errno := rawWrite2(fd, c.src[0], c.src[1])
		switch errno {
		case 0:
			c.written += n
			c.wrote(n)
			if c.src[0], c.src[1] = rest(c.src[0], c.src[1], n); len(c.src[0]) == 0 {
				c.werr = nil
				return true
			}
		case syscall.EINTR:
		case syscall.EAGAIN:
			c.waitWrite(fd)
			return false
		default:
			c.werr = os.NewSyscallError("write", errno)
			return true
		}
	}
}

// rest is what is left of p and q after their first n bytes; p is empty when that is nothing.
func rest(p, q []byte, n int) (left, then []byte) {
	if n >= len(p) {
		return q[n-len(p):], nil
	}
	return p[n:], q
}

// writeNow writes below TLS what there is room for, and gives up on the rest.
func (c *Conn) writeNow(p []byte) (n int, err error) {
	if c.raw == nil {
		return 0, ErrTimeout
	}
	var errno syscall.Errno
	if err := c.raw.Control(func(fd uintptr) { n, errno = rawWrite2(fd, p, nil) }); err != nil {
		return 0, err
	}
	if errno != 0 {
		return 0, os.NewSyscallError("write", errno)
	}
	return n, nil
}
