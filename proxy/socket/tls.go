package socket

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// maxRecord is the largest piece of plain text in one TLS record (RFC 8446 section 5.1).
const maxRecord = 16 << 10

// StartTLS runs what start makes over the connection from now on: tls.Server or tls.Client
// around the net.Conn that it is given. That one is a [Lower]. Call Handshake next.
func (c *Conn) StartTLS(start func(net.Conn) *tls.Conn) {
	c.low = &Lower{c: c}
	c.low.waitFn, c.low.nowFn = c.tryAhead, c.takeNow
	c.low.tls = start(c.low)
}

// Handshake does the handshake within the deadlines. Its errors are those of crypto/tls, or
// ErrTimeout, ErrInterrupted and what the network says.
func (c *Conn) Handshake() error {
	c.low.holds = true // what came with its end
	if err := c.low.tls.Handshake(); err != nil {
		return bare(err)
	}
	c.low.reads, c.low.writes = findNear(c.low.tls)
	return nil
}

// TLS is the TLS connection, or nil. It is for looking only: the Conn reads and writes it.
func (c *Conn) TLS() *tls.Conn {
	if c.low == nil {
		return nil
	}
	return c.low.tls
}

// Noted is what was left at the connection by [Lower.Note], or nil.
func (c *Conn) Noted() any {
	if c.low == nil {
		return nil
	}
	return c.low.noted
}

// Lower is the net.Conn that crypto/tls reads from and writes to: the socket with the Conn's
// deadlines. What a wait is ended by is a temporary error, so that crypto/tls goes on after
// it.
type Lower struct {
	// What each record needs comes first: it fills a line of the cache.
	c        *Conn
	tls      *tls.Conn // what is over it
	unsent   []byte    // records
	ahead    *[aheadSize]byte
	from, to uint16 // ahead[from:to] has been read from the socket and not been taken yet
	mode     readMode
	holds    bool        // crypto/tls, or ahead, may have something to read
	short    bool        // the last read took all that had come
	took     bool        // the handler got something of the last read
	hurries  bool        // writes leave what there is no room for in unsent
	ended    bool        // the peer closed the socket, which is less than a close_notify
	closing  atomic.Bool // writes do not wait any more
	noted    any

	reads, writes near

	waitFn func(fd uintptr) bool
	nowFn  func(fd uintptr)
}

// readMode says how Lower reads. It belongs to the goroutine that reads.
type readMode uint8

const (
	waits   readMode = iota // until there is something
	instant                 // takes what is there
	never                   // gives nothing: what crypto/tls holds already is asked for
)

// Note leaves a value at the connection, for those who see it in a tls.ClientHelloInfo.
func (l *Lower) Note(v any) { l.noted = v }

// pause is a wait that ended. It is temporary for crypto/tls.
type pause struct{ error }

func (pause) Timeout() bool      { return true }
func (pause) Temporary() bool    { return true }
func (p pause) Unwrap() error    { return p.error }
func asPause(reason error) error { return pause{reason} }

var (
	errWait          = errors.New("there is nothing to read yet")
	pauseWait        = asPause(errWait)
	pauseTimeout     = asPause(ErrTimeout)
	pauseInterrupted = asPause(ErrInterrupted)
)

func paused(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errWait):
		return pauseWait
	case errors.Is(err, ErrTimeout):
		return pauseTimeout
	case errors.Is(err, ErrInterrupted):
		return pauseInterrupted
	}
	return err
}

// bare is the error that the callers of a Conn know.
func bare(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errWait):
		return errWait
	case errors.Is(err, ErrTimeout):
		return ErrTimeout
	case errors.Is(err, ErrInterrupted):
		return ErrInterrupted
	}
	return err
}

// Read implements net.Conn.
func (l *Lower) Read(p []byte) (int, error) {
	if l.from < l.to {
		return l.take(p), nil
	}
	var n int
	var err error
	switch l.mode {
	case never:
		return 0, pauseWait
	case instant:
		n, err = l.c.readNow(p)
	default:
		l.c.dst = p
		n, err = l.c.readSocket()
	}
	if errors.Is(err, io.EOF) {
		l.ended = true
	}
	return n, paused(err)
}

// aheadSize is how much a wait reads at once: most requests, whole.
const aheadSize = 4 << 10

var aheads = sync.Pool{New: func() any { return new([aheadSize]byte) }}

// take gives what has been read ahead.
func (l *Lower) take(p []byte) int {
	n := copy(p, l.ahead[l.from:l.to])
	if l.from += uint16(n); l.from == l.to {
		l.release()
	}
	return n
}

func (l *Lower) release() {
	aheads.Put(l.ahead)
	l.ahead, l.from, l.to = nil, 0, 0
}

// Write implements net.Conn.
func (l *Lower) Write(p []byte) (int, error) {
	if l.closing.Load() {
		return l.c.writeNow(p)
	}
	if l.hurries {
		left := p
		if len(l.unsent) == 0 {
			left, _ = l.c.push(p, nil)
		}
		l.unsent = append(l.unsent, left...)
		return len(p), nil
	}
	n, err := l.c.writeSocket(p, nil)
	return n, paused(err)
}

// Close implements net.Conn.
func (l *Lower) Close() error { return l.c.nc.Close() }

// LocalAddr implements net.Conn.
func (l *Lower) LocalAddr() net.Addr { return l.c.nc.LocalAddr() }

// RemoteAddr implements net.Conn.
func (l *Lower) RemoteAddr() net.Addr { return l.c.nc.RemoteAddr() }

// SetDeadline implements net.Conn. The Conn has deadlines of its own.
func (l *Lower) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (l *Lower) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (l *Lower) SetWriteDeadline(time.Time) error { return nil }

// readTLS reads plain text. An end of the stream without a close_notify is
// io.ErrUnexpectedEOF: somebody in between may have cut it (RFC 9112 section 9.8).
func (c *Conn) readTLS(p []byte, mode readMode) (int, error) {
	l := c.low
	if l.mode = mode; mode != never {
		l.holds, l.short = true, false // for all that is known
	}
	n, err := l.tls.Read(p)
	l.mode = waits
	if n > 0 {
		return n, nil // crypto/tls tells the error again
	}
	if errors.Is(err, io.EOF) && l.ended {
		return 0, io.ErrUnexpectedEOF
	}
	return 0, bare(err)
}

// joined is memory for a head and the start of its body in one record.
var joined = sync.Pool{New: func() any { return new([maxRecord]byte) }}

// writeTLS writes p and q in as few records as possible.
func (c *Conn) writeTLS(p, q []byte) (int, error) {
	total := 0
	if len(p) > 0 && len(q) > 0 && len(p) < maxRecord {
		both := joined.Get().(*[maxRecord]byte)
		n := copy(both[:], p)
		k := copy(both[n:], q)
		m, err := c.low.tls.Write(both[:n+k])
		joined.Put(both)
		if total = m; err != nil {
			return total, bare(err)
		}
		p, q = nil, q[k:]
	}
	for _, b := range [2][]byte{p, q} {
		if len(b) == 0 {
			continue
		}
		n, err := c.low.tls.Write(b)
		if total += n; err != nil {
			return total, bare(err)
		}
	}
	return total, nil
}

// closeTLS says goodbye, if that takes no waiting, and closes.
func (c *Conn) closeTLS() error {
	c.low.closing.Store(true)
	return c.low.tls.Close()
}
