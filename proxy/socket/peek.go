package socket

import (
	"errors"
	"syscall"
)

// Alive says whether an idle connection can be used: open, and nothing has arrived that
// nobody asked for. It does not wait. A connection that can not be looked into counts as
// alive.
func (c *Conn) Alive() bool {
	if c.low != nil && c.raw != nil {
		// A look at the socket would take session tickets for unasked bytes.
		_, err := c.readTLS(c.one[:], instant)
		return errors.Is(err, errWait)
	}
	n, err := c.look()
	return n < 0 && err == nil
}

// mostPolled is how many connections Quiet looks at with one system call.
const mostPolled = 16

// Quiet says of connections that their callers own ([Conn.Own]) whether they are open and nothing has
// arrived, all in one system call and without waiting. A false means that the connection is to be
// looked into: bytes below TLS may be nothing but a session ticket.
func Quiet(conns []*Conn, quiet []bool) {
	var list [mostPolled]pollfd
	conns = conns[:min(len(conns), mostPolled)]
	for i, c := range conns {
		list[i] = pollfd{fd: c.held, events: pollIn | pollHangUp} // the kernel passes over -1
	}
	if rawPoll(list[:len(conns)]) != 0 {
		return
	}
	for i, c := range conns {
		quiet[i] = c.held != none && list[i].revents == 0
	}
}

// Gone says whether the peer has closed or reset the connection and left no bytes. It may
// be called while another goroutine reads, and does not take bytes away from it.
func (c *Conn) Gone() bool {
	if c.raw == nil {
		return false
	}
	gone := false
	err := c.raw.Control(func(fd uintptr) {
		if c.low != nil {
			gone = tlsGone(fd)
			return
		}
		n, errno := rawPeek(fd)
		gone = errno == 0 && n == 0 || errno != 0 && errno != syscall.EAGAIN && errno != syscall.EINTR
	})
	return gone || err != nil
}

// look returns -1 when nothing has arrived, 0 at the end of the stream. The caller is the one
// that reads.
func (c *Conn) look() (int, error) {
	if c.raw == nil {
		return -1, nil
	}
	if c.held != none {
		c.peek(uintptr(c.held))
		return c.n, c.err
	}
	if c.peekFn == nil {
		c.peekFn = c.peek
	}
	if err := c.raw.Control(c.peekFn); err != nil {
		return 0, err
	}
	return c.n, c.err
}

func (c *Conn) peek(fd uintptr) {
	n, errno := rawPeek(fd)
	switch errno {
	case 0:
		c.n, c.err = n, nil
	case syscall.EAGAIN, syscall.EINTR:
		c.n, c.err = -1, nil
	default:
		c.n, c.err = 0, errno
	}
}

// Last tries to read what has arrived already into p, after an Interrupt. It returns 0
// when there is nothing.
func (c *Conn) Last(p []byte) int {
	if c.raw == nil {
		return 0
	}
	if c.low != nil {
		n, _ := c.readTLS(p, instant) // nothing is nothing, whatever the reason
		return n
	}
	got := 0
	if err := c.raw.Control(func(fd uintptr) {
		if n, errno := rawRead(fd, p); errno == 0 {
			got = n
		}
	}); err != nil {
		return 0
	}
	return got
}

// tlsGoodbye is the size of the longest record that a close_notify fits in: header, nonce or
// type, alert and tag.
const tlsGoodbye = 31

// tlsGone says whether the peer has closed and left nothing, or nothing but a goodbye: no
// record with a request is as short as that.
func tlsGone(fd uintptr) bool {
	var b [tlsGoodbye + 1]byte
	n, errno := rawPeekInto(fd, b[:])
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return false
	case errno != 0 || n == 0:
		return true
	}
	return n <= tlsGoodbye && halfClosed(fd)
}
