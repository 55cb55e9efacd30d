package socket

import (
	"crypto/tls"
	"errors"
	"net"
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
	raw syscall.RawConn // nil when nc is no TCP connection
	tls *tls.Conn       // over nc by way of low; nil: nothing is encrypted
	low *Lower

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
	waitFn  func(fd uintptr) bool // for TLS; these two are nil until they are needed
	nowFn   func(fd uintptr)
	one     [1]byte
	soon    soon
	waited  bool // the last read had to wait
	borrow  func() []byte
	giveUp  func()
	serve   func(n int) bool
	done    bool  // serve wants no more, or err has come
	cut     bool  // Close resets
	pushed  int64 // bytes written since PaceWrites
	queue   int64 // of them, those that the peer had not taken at the last look
	peeked  int
	peekErr error
}

// half is one direction: the deadline that is wanted and the one that the runtime knows.
type half struct {
	want    int64 // 0: none
	armed   int64 // 0: none
	stopped atomic.Bool
	pace    pace
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

// Net is the wrapped connection, below TLS.
func (c *Conn) Net() net.Conn { return c.nc }

// SetReadDeadline sets when a waiting read ends with ErrTimeout, in the unit of Now.
func (c *Conn) SetReadDeadline(at int64) { c.in.want = at }

// SetWriteDeadline sets when a waiting write ends with ErrTimeout, in the unit of Now.
func (c *Conn) SetWriteDeadline(at int64) { c.out.want = at }

// ReadDeadline is the deadline that was set last.
func (c *Conn) ReadDeadline() int64 { return c.in.want }

var past = time.Unix(1, 0)

func deadline(want int64, armed *int64) time.Time {
	*armed = want
	if want == 0 {
		return time.Time{}
	}
	return base.Add(time.Duration(want))
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

// Close closes the connection. It never waits, so what the peer has not taken by then is
// lost in the case of TLS's goodbye only.
func (c *Conn) Close() error {
	if c.tls != nil && !c.cut {
		return c.closeTLS()
	}
	return c.nc.Close()
}

// CloseWrite tells the peer that nothing more comes.
func (c *Conn) CloseWrite() error {
	if c.tls != nil {
		if err := c.tls.CloseWrite(); err != nil {
			return bare(err)
		}
	}
	if w, ok := c.nc.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// Abort has Close reset the connection, so that the peer can not take a truncated body for a
// whole one.
func (c *Conn) Abort() {
	c.cut = true
	if t, ok := c.nc.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
}

// Cut ends everything that is done with the connection, now and later. Anybody may call it.
// The owner still has to close it.
func (c *Conn) Cut() {
	if c.raw == nil || c.raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) }) != nil {
		_ = c.nc.Close()
	}
}
