package socket

import (
	"errors"
	"os"
	"syscall"
)

// ErrUnsent is returned by a Read that could not write what Ask has left to it.
var ErrUnsent = errors.New("the request could not be sent")

// Ask writes p and q, or leaves that to the next Read, which then waits without asking the socket
// first: an answer can not be there before its question. That spares each exchange a system call
// that finds nothing. p and q stay as they are until then.
func (c *Conn) Ask(p, q []byte) (n int, err error) {
	if c.raw == nil || c.low != nil {
		return c.Write2(p, q)
	}
	if c.written = 0; len(p) == 0 {
		p, q = q, nil
	}
	c.src[0], c.src[1] = p, q
	c.asking = len(p) > 0
	return 0, nil
}

// Asked is how many bytes of the last Ask were written.
func (c *Conn) Asked() int { return c.written }

// tryAsk is called by the runtime as tryRead is. It returns false when everything is written.
func (c *Conn) tryAsk(fd uintptr) bool {
	for {
		n, errno := rawWrite2(fd, c.src[0], c.src[1])
		switch errno {
		case 0:
			c.written += n
			c.wrote(n)
			if c.src[0], c.src[1] = rest(c.src[0], c.src[1], n); len(c.src[0]) == 0 {
				c.asking = false
				c.waitRead()
				return false
			}
		case syscall.EINTR:
		default:
			c.n, c.err = 0, os.NewSyscallError("write", errno)
			return true
		}
	}
}

// askOn ends an Ask that was not written at once: for lack of room, or since the peer has gone. What
// the peer has said before is read all the same.
func (c *Conn) askOn() error {
	sent, p, q := c.written, c.src[0], c.src[1]
	c.asking = false
	if !errors.Is(c.err, syscall.EAGAIN) {
		c.src[0], c.src[1] = nil, nil
		if sent > 0 {
			return nil // the answer may have come early; reading tells
		}
		return c.err
	}
	n, err := c.writeSocket(p, q)
	if c.written = sent + n; err != nil && (c.written == 0 || errors.Is(err, ErrTimeout)) {
		return errors.Join(ErrUnsent, err)
	}
	return nil
}
