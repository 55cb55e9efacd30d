package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrTimeout is returned when a deadline has passed.
var ErrTimeout = errors.New("timed out")

// ErrInterrupted is returned by a read or write that another goroutine ended by Interrupt.
var ErrInterrupted = errors.New("interrupted")

// Conn is a connection with cheap deadlines.
type Conn struct {
	nc  net.Conn
	raw syscall.RawConn // nil when nc is no plain TCP connection, such as TLS

	in  half
	out half

	// What the closures below work on. They are made once, so that no call allocates.
	dst     []byte
	src     [2][]byte
	n       int
	written int
	err     error
	werr    error
	vec     [2]syscall.Iovec
	readFn  func(fd uintptr) bool
	writeFn func(fd uintptr) bool
	peekFn  func(fd uintptr)
	borrow  func() []byte
	giveUp  func()
	peeked  int
	peekErr error
}

// half is one direction: the deadline that is wanted and the one that the runtime knows.
type half struct {
	want    int64 // 0: none
	armed   int64 // 0: none
	stopped atomic.Bool
}

// New wraps nc.
func New(nc net.Conn) *Conn {
	c := &Conn{nc: nc}
	if t, ok := nc.(*net.TCPConn); ok {
		if raw, err := t.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	c.readFn, c.writeFn, c.peekFn = c.tryRead, c.tryWrite, c.peek
	return c
}

// Net is the wrapped connection.
func (c *Conn) Net() net.Conn { return c.nc }

// SetReadDeadline sets when a waiting read ends with ErrTimeout, in the unit of Now.
func (c *Conn) SetReadDeadline(at int64) { c.in.want = at }

// SetWriteDeadline sets when a waiting write ends with ErrTimeout, in the unit of Now.
func (c *Conn) SetWriteDeadline(at int64) { c.out.want = at }

// ReadDeadline is the deadline that was set last.
func (c *Conn) ReadDeadline() int64 { return c.in.want }

// Read reads at least one byte into p, or returns io.EOF, ErrTimeout, ErrInterrupted or
// what the network says.
func (c *Conn) Read(p []byte) (int, error) {
	c.dst = p
	return c.read()
}

// ReadInto is Read for a connection that may stay idle: borrow is called for the buffer
// when it is time to read, and giveUp takes it back when there was nothing to read yet.
func (c *Conn) ReadInto(borrow func() []byte, giveUp func()) (int, error) {
	if c.raw == nil {
		c.dst = borrow()
		return c.read()
	}
	c.dst, c.borrow, c.giveUp = nil, borrow, giveUp
	n, err := c.read()
	c.borrow, c.giveUp = nil, nil
	return n, err
}

func (c *Conn) read() (n int, err error) {
	for {
		if c.raw != nil {
			if err = c.raw.Read(c.readFn); err == nil {
				n, err = c.n, c.err
			}
		} else {
			c.armRead()
			if n, err = c.nc.Read(c.dst); n > 0 {
				err = nil
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
	if c.in.want != 0 && Now() >= c.in.want {
		return ErrTimeout
	}
	c.in.armed = 0
	return c.nc.SetReadDeadline(deadline(c.in.want, &c.in.armed))
}

// armRead makes sure that a wait ends no later than wanted.
func (c *Conn) armRead() {
	if c.in.want != 0 && (c.in.armed == 0 || c.in.want < c.in.armed) {
		_ = c.nc.SetReadDeadline(deadline(c.in.want, &c.in.armed))
		if c.in.stopped.Load() { // lost the race against Interrupt
			_ = c.nc.SetReadDeadline(past)
		}
	}
}

func (c *Conn) armWrite() {
	if c.out.want != 0 && (c.out.armed == 0 || c.out.want < c.out.armed) {
		_ = c.nc.SetWriteDeadline(deadline(c.out.want, &c.out.armed))
		if c.out.stopped.Load() {
			_ = c.nc.SetWriteDeadline(past)
		}
	}
}

var past = time.Unix(1, 0)

func deadline(want int64, armed *int64) time.Time {
	*armed = want
	if want == 0 {
		return time.Time{}
	}
	return base.Add(time.Duration(want))
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
			c.n, c.err = n, nil
			return true
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			if c.giveUp != nil {
				c.dst = nil
				c.giveUp()
			}
			c.armRead()
			return false
		}
		c.n, c.err = 0, os.NewSyscallError("read", errno)
		return true
	}
}

// Write writes p whole. It returns how much was written besides the error.
func (c *Conn) Write(p []byte) (int, error) { return c.Write2(p, nil) }

// Write2 writes p and q whole, in one system call where possible.
func (c *Conn) Write2(p, q []byte) (int, error) {
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
			c.armWrite()
			n, err := c.nc.Write(b)
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
	if c.out.want != 0 && Now() >= c.out.want {
		return ErrTimeout
	}
	c.out.armed = 0
	return c.nc.SetWriteDeadline(deadline(c.out.want, &c.out.armed))
}

// tryWrite writes what is left of src. It returns false to wait for room.
func (c *Conn) tryWrite(fd uintptr) bool {
	for {
		n, errno := rawWrite2(fd, c.src[0], c.src[1], &c.vec)
		switch errno {
		case 0:
			c.written += n
			if n >= len(c.src[0]) {
				c.src[0], c.src[1] = c.src[1][n-len(c.src[0]):], nil
			} else {
				c.src[0] = c.src[0][n:]
			}
			if len(c.src[0]) == 0 {
				c.werr = nil
				return true
			}
		case syscall.EINTR:
		case syscall.EAGAIN:
			c.armWrite()
			return false
		default:
			c.werr = os.NewSyscallError("write", errno)
			return true
		}
	}
}

// Interrupt ends a read that is waiting, and every later one, with ErrInterrupted, until
// Resume.
func (c *Conn) Interrupt() {
	c.in.stopped.Store(true)
	_ = c.nc.SetReadDeadline(past)
}

// InterruptWrite does the same for writes.
func (c *Conn) InterruptWrite() {
	c.out.stopped.Store(true)
	_ = c.nc.SetWriteDeadline(past)
}

// Resume lets reads go on after Interrupt. The caller is the one that reads.
func (c *Conn) Resume() {
	c.in.stopped.Store(false)
	_ = c.nc.SetReadDeadline(deadline(c.in.want, &c.in.armed))
}

// Close closes the connection.
func (c *Conn) Close() error { return c.nc.Close() }

// CloseWrite tells the peer that nothing more comes.
func (c *Conn) CloseWrite() error {
	if w, ok := c.nc.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// Abort closes the connection with a reset, so that the peer can not take a truncated body
// for a whole one.
func (c *Conn) Abort() {
	if t, ok := c.nc.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.nc.Close()
}
