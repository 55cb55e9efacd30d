package proxy

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/http2"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// conn is a client connection. Its goroutine owns it; state, killed and s.Interrupt are
// for others.
type conn struct {
	p      *Proxy
	l      *listener
	s      *socket.Conn
	state  connState
	killed atomic.Bool
	shard  uint32 // of the counters

	from, to  netip.AddrPort // client and where it connected to; to may be unset
	enlisted  bool           // counted among its client's connections
	peer      netip.Addr
	trusted   bool   // peer's word on forwarding is taken
	forwarded []byte // the fields that name peer, the same for every request

	in      *inbound                   // nil while the connection is idle
	readyAt int64                      // when the first bytes of the current head were there
	began   bool                       // a request has been served
	served  atomic.Bool                // the same, for others
	since   int64                      // when the connection was opened
	x       *exchange                  // under way
	h2      atomic.Pointer[http2.Conn] // once the connection speaks HTTP/2

	borrowFn func() []byte
	giveUpFn func()
	lingers  bool // see linger
}

// inbound is the memory for a request's head and what follows it. Idle connections have
// none.
type inbound struct {
	buf buffer
	req http1.Request
}

var inbounds = sync.Pool{New: func() any { return new(inbound) }}

var connCount atomic.Uint32

func newConn(l *listener, nc net.Conn) *conn {
	c := &conn{p: l.p, l: l, s: socket.New(nc), shard: connCount.Add(1), since: socket.Now()}
	c.identify(addrPort(nc.RemoteAddr()))
	c.borrowFn, c.giveUpFn = c.borrow, c.giveUp
	return c
}

// serve answers requests until one side wants no more.
func (c *conn) serve() {
	defer c.close()
	if !c.arrive() || c.l.shake != nil && !c.handshake() {
		return
	}
	if c.l.HTTP2Only || c.agreedOnHTTP2() {
		c.serveHTTP2(nil)
		return
	}
	for c.await() {
		if !c.began && c.l.shake == nil && c.speaksHTTP2() {
			first := bytes.Clone(c.in.buf.filled())
			c.putInbound()
			c.serveHTTP2(first)
			return
		}
		if !c.readHead() || !c.exchange() {
			return
		}
	}
}

func (c *conn) close() {
	panicked := c.survived(recover())
	if !panicked && c.lingers {
		c.readRest()
	}
	_ = c.s.Close() // the peer may be gone already
	switch {
	case panicked:
		// Nobody knows who still points into the buffers, so they go to nobody else.
		c.in = nil
		if c.x != nil {
			c.x.abandon()
		}
	case c.in != nil:
		c.putInbound()
	}
	c.l.depart(c)
	c.p.conns.remove(c)
}

// survived logs what recover returned, if anything: one connection must not take the others
// with it.
func (c *conn) survived(panicked any) bool {
	if panicked != nil {
		c.p.cfg.Log.Error("panic while serving a connection", "panic", panicked, "stack", string(debug.Stack()))
	}
	return panicked != nil
}

// kill ends the connection from outside.
func (c *conn) kill() {
	c.killed.Store(true)
	_ = c.s.Net().Close() // without TLS's goodbye, which could wait for the writer
}

func (c *conn) borrow() []byte {
	if c.in == nil {
		c.in = inbounds.Get().(*inbound)
		c.in.buf.ensure(sizeHead)
	}
	return c.in.buf.free()
}

func (c *conn) giveUp() {
	if c.in.buf.n == 0 {
		c.putInbound()
	}
}

func (c *conn) putInbound() {
	c.in.buf.release()
	c.in.req.Reset()
	inbounds.Put(c.in)
	c.in = nil
}

// await waits for the first bytes of a request. It reports false when there will be none.
func (c *conn) await() bool {
	now := socket.Now()
	c.readyAt = now
	c.s.PaceReads(socket.Pace{})
	if c.in != nil && c.in.buf.n > 0 { // pipelined
		return true
	}
	c.state.Store(connIdle)
	c.s.SetReadDeadline(now + c.p.times.idle)
	n, err := 0, socket.ErrInterrupted
	if !c.p.closing.Load() { // else drain may have come by before the store
		n, err = c.s.ReadInto(c.borrowFn, c.giveUpFn)
	}
	if !c.state.CompareAndSwap(connIdle, connActive) {
		c.p.conns.barrier()
		c.s.Resume()
		c.state.Store(connActive)
	}
	switch {
	case errors.Is(err, socket.ErrInterrupted):
		// Shutting down. A request that has arrived already is served, so that closing an
		// idle connection loses none.
		n = c.s.Last(c.borrow())
	case err != nil:
		return false
	}
	if n == 0 {
		return false
	}
	c.in.buf.n += n
	c.readyAt = socket.Now()
	return true
}

// speaksHTTP2 says whether the connection begins with the preface of HTTP/2. It reads on as
// long as that can not be told.
func (c *conn) speaksHTTP2() bool {
	for {
		b := c.in.buf.filled()
		n := min(len(b), len(preface))
		if string(b[:n]) != preface[:n] {
			return false
		}
		if n == len(preface) {
			return true
		}
		c.s.SetReadDeadline(c.readyAt + c.p.times.header)
		got, err := c.s.Read(c.in.buf.free())
		if err != nil {
			return false // what follows reads again, and fails as well
		}
		c.in.buf.n += got
	}
}

// readHead reads and parses a request head. A head that is refused is answered here.
func (c *conn) readHead() bool {
	in := c.in
	in.req.Reset()
	c.s.SetReadDeadline(c.readyAt + c.p.times.header)
	for {
		done, bad := in.req.Parse(in.buf.filled(), c.l.Limits)
		if bad != nil {
			c.suspect(in.buf.filled())
			c.reject(bad)
			return false
		}
		if done {
			if !c.began {
				c.began = true
				c.served.Store(true)
			}
			return true
		}
		if !in.buf.grow() {
			c.reject(http1.ErrHeadTooLarge)
			return false
		}
		n, err := c.s.Read(in.buf.free())
		if errors.Is(err, socket.ErrTimeout) {
			c.reject(errSlowHead)
		}
		if err != nil {
			return false // the client left; nobody is there to answer
		}
		in.buf.n += n
	}
}

// exchange serves the request whose head has been parsed. It reports whether the
// connection can take another one.
func (c *conn) exchange() bool {
	x := newExchange(c, c, c.readyAt)
	x.toClient.s, x.toClient.stall = c.s, c.p.times.write
	c.s.SetWriteDeadline(x.startedAt + c.p.times.write)
	c.x = x
	again := x.run()
	c.x = nil
	x.release()
	if again && c.in.buf.n == 0 && c.in.buf.b != nil && len(c.in.buf.b) > sizeHead {
		c.in.buf.release()
		c.in.buf.ensure(sizeHead)
	}
	return again
}

// reject answers a head that is no request, and counts it.
func (c *conn) reject(e *http1.Error) {
	x := newExchange(c, c, c.readyAt)
	x.headless = true
	x.refuse(e)
	x.release()
}
