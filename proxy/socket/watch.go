package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Attach has a loop watch the connection, so that it can be Watched; everything else works as
// before. It reports false where that is not possible. Only the caller may use the connection
// meanwhile, and only the caller closes it from now on, when none of its reads and writes is under
// way.
func (c *Conn) Attach() bool {
	if c.d != nil {
		return true
	}
	t, ok := c.nc.(*net.TCPConn)
	if !ok || c.raw == nil {
		return false
	}
	d, err := newDesc(t, c.raw)
	if err != nil {
		return false
	}
	c.d, c.nc, c.raw = d, d, rawDesc{d}
	c.in.armed, c.out.armed = 0, 0
	c.held = int32(d.fd)
	return true
}

// Attached says whether a loop watches the connection.
func (c *Conn) Attached() bool { return c.d != nil }

// Watch has w told when it is time to look, unless that is now: false. An error says that the
// deadline has passed (ErrTimeout) or that there was an Interrupt. Once w waits, the connection is
// w's: the caller must not touch it any more.
func (c *Conn) Watch(w Watcher) (waits bool, err error) {
	for {
		c.waitRead()
		if c.d.watch(w) {
			return true, nil
		}
		if !c.d.r.late.Load() {
			return false, nil
		}
		if err := c.readTimeout(); err != nil {
			return false, err
		}
	}
}

// Nothing and Failed are what ReadNow returns.
const (
	Nothing = 0  // has come yet
	Failed  = -1 // or ended, see Failure
)

// Failure is why ReadNow has Failed: io.EOF, or what the network said, which it says but once: the
// next read after a reset would see an end in order.
func (c *Conn) Failure() error { return c.err }

// ReadNow reads what has come into p, without waiting: the number of bytes, or Nothing, or Failed.
// An answer of less than len(p) means that no more had come.
func (c *Conn) ReadNow(p []byte) int {
	if c.low != nil {
		return c.readTLSNow(p)
	}
	return c.recv(p)
}

// recv reads below TLS.
func (c *Conn) recv(p []byte) int {
	for {
		n, errno := rawRead(uintptr(c.d.fd), p)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			return Nothing
		case errno != 0:
			c.err = os.NewSyscallError("read", errno)
			return Failed
		case n == 0:
			c.err = io.EOF
			return Failed
		}
		if c.in.pace.counts() {
			c.in.pace.end(n)
		}
		return n
	}
}

// readTLSNow is ReadNow over TLS. It holds a buffer only while there is something in it.
func (c *Conn) readTLSNow(p []byte) int {
	l := c.low
	for {
		if l.holds {
			n, err := c.readHeld(p)
			if err == nil {
				// Less than there was room for is all of the plain text.
				if n < len(p) && l.short && l.ahead == nil && empty(l.tls) {
					l.holds = false
					trim(l.tls)
				}
				return n
			}
			if !errors.Is(err, errWait) {
				c.err = err
				return Failed
			}
			l.holds = false
			trim(l.tls)
			return Nothing
		}
		l.ahead = aheads.Get().(*[aheadSize]byte)
		prefetch(&l.reads)
		n := c.recv(l.ahead[:])
		if n <= 0 {
			l.release()
			if n == Failed && errors.Is(c.err, io.EOF) {
				c.err = io.ErrUnexpectedEOF // as readTLS says
			}
			return n
		}
		l.from, l.to = 0, uint16(n)
		if l.holds, l.short = true, n < aheadSize; !l.short {
			lend(l.tls)
		}
	}
}

// mostUnsent bounds what waits for room: a write, and answers to key updates.
const mostUnsent = 4 * maxRecord

// readHeld reads what crypto/tls holds, which may have it write: an alert, or the answer to a key
// update. That goes behind what waits for room already. A peer that has no room while nothing waits
// is given up.
func (c *Conn) readHeld(p []byte) (int, error) {
	l := c.low
	before := len(l.unsent)
	l.hurries = true
	mode := never
	if !l.short {
		mode = instant // there may be much more
	}
	n, err := c.readTLS(p, mode)
	l.hurries = false
	if now := len(l.unsent); now > before && (before == 0 || now > mostUnsent) {
		n, err = 0, ErrTimeout
	}
	return n, err
}

// Holds says whether ReadNow may have more, although nothing more has come.
func (c *Conn) Holds() bool { return c.low != nil && c.low.holds }

// AskNow is Ask that writes at once. It reports false when that is left to the next Read, in whole
// or in part.
func (c *Conn) AskNow(p, q []byte) bool {
	if c.written = 0; len(p) == 0 {
		p, q = q, nil
	}
	c.d.r.forget()
	c.src[0], c.src[1] = c.push(p, q)
	c.asking = len(c.src[0]) > 0
	c.written = len(p) + len(q) - len(c.src[0]) - len(c.src[1])
	return !c.asking
}

// WriteNow writes p and q as far as there is room, without waiting. It reports false when something
// is left, for Flush; p and q stay as they are until then. What failed is left as well.
func (c *Conn) WriteNow(p, q []byte) bool {
	if l := c.low; l != nil {
		l.hurries = true
		_, err := c.writeTLS(p, q)
		if l.hurries = false; err != nil {
			c.werr = err // for good
		}
		return err == nil && len(l.unsent) == 0
	}
	c.src[0], c.src[1] = c.push(p, q)
	return len(c.src[0]) == 0
}

// push writes what there is room for, and returns the rest; the first is empty when that is nothing.
// What failed is a rest as well.
func (c *Conn) push(p, q []byte) (left, then []byte) {
	if len(p) == 0 {
		p, q = q, nil
	}
	left, then, _ = c.pushOn(p, q)
	return left, then
}

// Flush writes what WriteNow has left.
func (c *Conn) Flush() error {
	if c.low == nil {
		_, err := c.writeSocket(c.src[0], c.src[1])
		return err
	}
	left, err := c.low.unsent, c.werr
	c.low.unsent = nil
	if err == nil {
		_, err = c.writeSocket(left, nil)
	}
	return err
}
