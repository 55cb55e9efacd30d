package proxy

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/balance"
	"github.com/sluice-gateway/sluice/proxy/proxyproto"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// streamConn is a client's connection to a stream, and the one to an endpoint that its bytes are
// passed on to. Between TCP connections io.Copy lets the kernel move them (splice).
type streamConn struct {
	of     *streams
	rules  *streamRules
	client *net.TCPConn
	server atomic.Pointer[net.TCPConn] // nil until there is one
	ep     *endpoint
	gone   atomic.Bool  // cut was called
	over   atomic.Bool  // both directions have ended
	moved  atomic.Int64 // when bytes were last known to have passed
}

// looks is how often within the idle timeout a connection is looked at, and a copy that is under
// way says that it is: connections are closed at most half of that time late.
const looks = 4

// serve finds an endpoint and passes bytes until both sides are done.
func (c *streamConn) serve() {
	defer func() { _ = c.client.Close() }()
	rot := c.rules.upstream.live.Load()
	if l := rot.limit; l != nil {
		if _, err := l.enter(c.gone.Load, 0); err != nil {
			c.rules.counts.refused.Add(1)
			return
		}
		defer l.leave()
	}
	server := c.connect(rot)
	if server == nil {
		c.rules.counts.failed.Add(1)
		return
	}
	defer func() { _ = server.Close() }()
	c.rules.counts.served.Add(1)
	c.ep.inFlight.Add(1)
	defer c.ep.inFlight.Add(-1)
	c.ep.drain.add(c)
	defer c.ep.drain.remove(c)
	c.server.Store(server)
	if c.gone.Load() {
		return // cut before it was there to be closed
	}
	c.pass(server)
}

// connect opens a connection to an endpoint, or to another one when that fails: nothing was
// sent, so it is safe. nil: none could be reached.
func (c *streamConn) connect(rot *rotation) *net.TCPConn {
	var tried []*endpoint
	key := uint64(0)
	if rot.choosing.policy == byHash {
		a := addrPort(c.client.RemoteAddr()).Addr().As16()
		key = balance.Key(a[:])
	}
	first := socket.Now()
	for now := first; ; now = socket.Now() {
		e := rot.pick(now, tried, key)
		if e == nil {
			return nil
		}
		nc, err := c.dial(rot, e)
		c.tell(rot, e, now, err)
		if err == nil {
			c.ep = e
			return nc
		}
		tried = append(tried, e)
		late := rot.retry.within > 0 && socket.Now()-first >= rot.retry.within
		if late || len(tried) >= rot.attempts || !rot.retry.on[becauseConnect] || c.gone.Load() || !c.rules.upstream.budget.take(rot.retry.percent, becauseConnect) {
			return nil
		}
	}
}

// dial opens a connection and says on it who the client is, if the upstream wants to know.
func (c *streamConn) dial(rot *rotation, e *endpoint) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), rot.connect)
	defer cancel()
	nc, err := dialer.DialContext(ctx, "tcp", e.key.Address)
	if err != nil {
		return nil, err
	}
	server, ok := nc.(*net.TCPConn)
	if ok && rot.proxyProtocol != 0 {
		var room [128]byte
		_ = server.SetWriteDeadline(time.Now().Add(rot.connect)) // an open socket takes one
		_, err = server.Write(proxyproto.Append(room[:0], rot.proxyProtocol, addrPort(c.client.RemoteAddr()), addrPort(c.client.LocalAddr())))
		_ = server.SetWriteDeadline(time.Time{})
	}
	if !ok || err != nil {
		_ = nc.Close()
		return nil, errConnect
	}
	return server, nil
}

// tell reports whether a connection opened, to the metrics, the next choices, and health.
func (c *streamConn) tell(rot *rotation, e *endpoint, began int64, err error) {
	now := socket.Now()
	o := gateway.Outcome{EndpointKey: e.key, At: socket.Time(now), Latency: socket.Span(began, now), Connected: err == nil}
	if err != nil {
		e.skipUntil.Store(now + skipFor)
		e.outcomes[outcomeConnect].Add(1)
		o.Failure, o.Reason = gateway.FailureConnect, "stream"
	} else {
		e.skipUntil.Store(0)
		e.outcomes[outcomeSuccess].Add(1)
	}
	if err != nil || rot.choosing.policy == byLatency {
		rot.judge(e, now, now-began, err != nil)
	}
	if c.of.observer != nil {
		c.of.observer.Observe(o)
	}
}

// pass copies both ways. Whoever ends its half is passed on as an end; a failure, and silence,
// end both.
func (c *streamConn) pass(server *net.TCPConn) {
	c.moved.Store(socket.Now())
	c.watch()
	defer c.over.Store(true)
	up := make(chan struct{})
	go func() {
		defer close(up)
		c.copy(server, c.client, &c.rules.counts.toEndpoints)
	}()
	c.copy(c.client, server, &c.rules.counts.toClients)
	<-up
}

// watch closes the connection when nothing has passed for too long.
func (c *streamConn) watch() {
	if c.over.Load() {
		return
	}
	idle, silent := c.rules.IdleTimeout.Std(), socket.Span(c.moved.Load(), socket.Now())
	if silent < idle {
		time.AfterFunc(max(idle-silent, idle/looks), c.watch)
		return
	}
	if !c.gone.Load() {
		c.rules.counts.idle.Add(1)
		c.cut()
	}
}

// copy passes on what src sends until it ends, and ends dst's half then.
func (c *streamConn) copy(dst, src *net.TCPConn, counted *atomic.Uint64) {
	step := c.rules.IdleTimeout.Std()/looks + 1
	for {
		// It fails only when the connection is closed, and then so does the copy.
		_ = src.SetReadDeadline(time.Now().Add(step))
		n, err := io.CopyN(dst, src, math.MaxInt64)
		if n > 0 {
			counted.Add(uint64(n))
			c.moved.Store(socket.Now())
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && !c.gone.Load() {
			continue
		}
		if !errors.Is(err, io.EOF) || dst.CloseWrite() != nil {
			c.cut()
		}
		return
	}
}

// ask is for tunnels that have words for it.
func (c *streamConn) ask() {}

// cut ends the connection.
func (c *streamConn) cut() {
	c.gone.Store(true)
	for _, nc := range []*net.TCPConn{c.client, c.server.Load()} {
		if nc != nil {
			_ = nc.SetLinger(0) // it is not to look like an end that was meant
			_ = nc.Close()
		}
	}
}
