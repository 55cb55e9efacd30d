package socket

import (
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

// Conn is a connection with cheap deadlines. There is one for each idle client, so what need not
// be in it is elsewhere: it fills a size class of the allocator, 352 bytes.
type Conn struct {
	// What each request needs comes first.
	d   *desc  // what raw and nc are of, once a loop watches it
	low *Lower // what TLS is over; nil: nothing is encrypted
	in  half
	out half

	// What the closures below work on. They are made once, so that no call allocates.
	src     [2][]byte
	dst     []byte
	n       int
	written int
	err     error
	werr    error
	readFn  func(fd uintptr) bool
	writeFn func(fd uintptr) bool
	peekFn  func(fd uintptr) // nil until it is needed
	handler Handler          // of Serve, else nil

	nc     net.Conn
	raw    syscall.RawConn // nil when nc is no TCP connection
	pushed int64           // bytes written since PaceWrites
	queue  int32           // of them, those that the peer had not taken at the last look
	held   int32           // the descriptor, as long as it is known to stay open; else none
	one    [1]byte
	asking bool // the next read writes src first
	done   bool // handler wants no more, or err has come
	cut    bool // Close resets
}

// half is one direction: the deadline that is wanted and the one that the runtime knows.
type half struct {
	want    int64 // 0: none
	armed   int64 // 0: none
	stopped atomic.Bool
	pace    pace
}

// none is no descriptor.
const none = -1

// New wraps nc.
func New(nc net.Conn) *Conn {
	c := &Conn{nc: nc, held: none}
	if t, ok := nc.(*net.TCPConn); ok {
		if raw, err := t.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	c.readFn, c.writeFn = c.tryRead, c.tryWrite
	return c
}

// Own says that only the caller closes the connection, when none of its reads and writes is under
// way. Calls that need not wait then go to the kernel without asking RawConn whether the
// descriptor is still open, which costs a tenth of them.
func (c *Conn) Own() {
	if c.raw == nil || c.raw.Control(func(fd uintptr) { c.held = int32(fd) }) != nil {
		c.held = none
	}
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
	c.held = none
	if c.low != nil && !c.cut {
		return c.closeTLS()
	}
	return c.nc.Close()
}

// CloseWrite tells the peer that nothing more comes.
func (c *Conn) CloseWrite() error {
	if c.low != nil {
		if err := c.low.tls.CloseWrite(); err != nil {
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
	if t, ok := c.nc.(interface{ SetLinger(sec int) error }); ok {
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
