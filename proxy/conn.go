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

// conn is a client connection. Who serves it owns it, a goroutine or a loop; state, killed and
// s.Interrupt are for others.
type conn struct {
	p      *Proxy
	l      *listener
	s      *socket.Conn
	state  connState
	killed atomic.Bool
	shard  uint32 // of the counters

	from     netip.AddrPort  // the client
	to       *netip.AddrPort // where it connected to, as a PROXY header says; nil: here
	enlisted bool            // counted among its client's connections
	trusted  bool            // the client's word on forwarding is taken
	peerText []byte          // the fields that name the client, see appendPeer; nil: it is trusted

	in      *inbound                   // nil while the connection is idle
	readyAt int64                      // when the first bytes of the current head were there
	endedAt int64                      // when the last request ended, over HTTP/1.1
	began   bool                       // a request has been served
	served  atomic.Bool                // the same, for others
	blank   bool                       // an empty line has come behind it
	since   int64                      // when the connection was opened
	x       *exchange                  // under way
	h2      atomic.Pointer[http2.Conn] // once the connection speaks HTTP/2

	bound   *bound  // nil: no endpoint knows the client
	became  *tunnel // nil: it answers requests
	lingers bool    // see linger
}

// inbound is the memory for a request's head and what follows it. Idle connections have
// none.
type inbound struct {
	buf   buffer
	req   http1.Request
	spare *exchange // for the next request, while they come whole; nil: there is none
}

// lighten gives up what is of use only to a request that is there.
func (in *inbound) lighten() {
	if in.spare != nil {
		exchanges.Put(in.spare)
		in.spare = nil
	}
}

var inbounds = sync.Pool{New: func() any { return new(inbound) }}

var connCount atomic.Uint32

func newConn(l *listener, nc net.Conn) *conn {
	c := &conn{p: l.p, l: l, s: socket.New(nc), shard: connCount.Add(1), since: socket.Now()}
	c.identify(addrPort(nc.RemoteAddr()))
	return c
}

// serve answers the connection's first requests.
func (c *conn) serve() {
	left := false
	defer func() {
		if panicked := recover(); !left {
			c.close(panicked)
		}
	}()
	if !c.arrive() || c.l.shake != nil && !c.handshake() {
		return
	}
	if c.l.HTTP2Only || c.agreedOnHTTP2() {
		c.serveHTTP2(nil)
		return
	}
	left = c.attend() || c.startTunnel()
}

// carryOn goes on with requests that can not be served without waiting.
func (c *conn) carryOn(serve func() (again bool)) {
	left := false
	defer func() {
		if panicked := recover(); !left {
			c.close(panicked)
		}
	}()
	left = (serve == nil || serve()) && c.attend() || c.startTunnel()
}

// attend answers requests until one side wants no more, or until there is none: the connection is
// left to a loop then.
func (c *conn) attend() (left bool) {
	for {
		switch c.await() {
		case over:
			return false
		case leftAlone:
			return true
		}
		if !c.began && c.l.shake == nil && c.speaksHTTP2() {
			first := bytes.Clone(c.in.buf.filled())
			c.putInbound()
			c.serveHTTP2(first)
			return false
		}
		if !c.readHead() || !c.exchange() {
			return false
		}
	}
}

// rescue is deferred by what a loop calls: one connection must not take the others with it.
func (c *conn) rescue() {
	if panicked := recover(); panicked != nil {
		c.close(panicked)
	}
}

// close ends the connection. panicked is what recover returned.
func (c *conn) close(panicked any) {
	crashed := c.survived(panicked)
	c.unbind()
	if !crashed && c.lingers {
		c.readRest()
	}
	_ = c.s.Close() // the peer may be gone already
	switch {
	case crashed:
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
	c.s.Cut()
}

// Borrow is the buffer to read into.
func (c *conn) Borrow() []byte {
	if c.in == nil {
		c.in = inbounds.Get().(*inbound)
		c.in.buf.ensure(sizeHead)
	}
	return c.in.buf.free()
}

// GiveUp takes the buffer back when there was nothing to read.
func (c *conn) GiveUp() {
	if c.in.buf.n == 0 {
		c.putInbound()
	}
}

func (c *conn) putInbound() {
	c.in.buf.keep(sizeHead)
	c.in.req.Reset()
	inbounds.Put(c.in)
	c.in = nil
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
	in.lighten() // whoever sends slowly shall not hold more than a head needs
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
	return c.end(c.begin().run())
}

// begin makes the exchange for the request whose head has been parsed.
func (c *conn) begin() *exchange {
	c.blank = false
	x := c.in.spare
	if c.in.spare = nil; x == nil {
		x = exchanges.Get().(*exchange)
	}
	x.begin(c, c, c.readyAt)
	x.toClient.s, x.toClient.stall = c.s, c.p.times.write
	c.s.SetWriteDeadline(x.startedAt + c.p.times.write)
	c.x = x
	return x
}

// end ends what begin began. again: the connection can take another request.
func (c *conn) end(again bool) bool {
	if c.became != nil {
		return false
	}
	x := c.x
	c.x = nil
	c.endedAt = x.endedAt
	x.reset()
	c.in.spare = x
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
