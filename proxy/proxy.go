package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// Observer is told how each exchange with an endpoint ended. Observe is called on the path
// of requests, by many goroutines, so it must neither block nor take long.
type Observer interface{ Observe(gateway.Outcome) }

// Config is how a Proxy behaves. The zero value is usable.
type Config struct {
	// Observer judges endpoints. Default: nobody.
	Observer Observer
	// Log gets what operators should know. Default: slog.Default.
	Log *slog.Logger
	// AccessLog gets one JSON line per request, from one goroutine. Default: none.
	AccessLog io.Writer

	// HandshakeTimeout bounds a TLS handshake. Default: as HeaderTimeout.
	HandshakeTimeout time.Duration
	// HeaderTimeout bounds the time from the first byte of a head to its last. Default 10s.
	HeaderTimeout time.Duration
	// IdleTimeout is how long a client connection may wait for its next request. Default 75s.
	IdleTimeout time.Duration
	// BodyTimeout bounds each silence in a request body. Default 60s.
	BodyTimeout time.Duration
	// WriteTimeout bounds each time that a peer takes nothing at all. Default 60s.
	WriteTimeout time.Duration
	// MinBodyRate is the least average speed of a request body in bytes a second, measured
	// over the time that is spent waiting for the client; a slower one is answered 408.
	// Default 240, as Kestrel has it: below what a modem does, and enough to end those who
	// send a byte now and then to keep a connection. Negative: any speed.
	MinBodyRate int64
	// MinSendRate is the least average speed at which a client takes an answer, measured in
	// the same way; a slower one is cut off. Default 240. Negative: any speed.
	MinSendRate int64
	// RateGrace is how long a client may keep us waiting in one message whatever its speed,
	// since a lost packet alone can take seconds. Default 10s.
	RateGrace time.Duration
	// MaxIdlePerEndpoint bounds the kept-alive connections to one endpoint. Default 256.
	// Raise it when more requests than that are under way to one endpoint at a time.
	MaxIdlePerEndpoint int
	// StreamHost is the address that the ports of streams are opened on. Default: all.
	StreamHost string
}

// Listener describes where connections come from.
type Listener struct {
	// Name is the label in metrics and logs.
	Name string
	// Scheme that clients used: "http" (default) or "https".
	Scheme string
	// TrustedProxies are the peers whose X-Forwarded-* and Forwarded fields are kept and
	// added to. From everyone else they are replaced. Default: nobody.
	TrustedProxies []netip.Prefix
	// HTTP2Only: clients speak HTTP/2 from the first byte. Otherwise those that do are
	// recognised by their preface.
	HTTP2Only bool
	// TLS makes it a listener for TLS, and Scheme "https". Default: nil.
	TLS *TLS
	// ProxyProtocol are the peers that begin each connection with a PROXY header, version 1 or
	// 2, which names the client. A connection of theirs without one is closed; from everyone
	// else a header is refused. Default: nobody.
	ProxyProtocol []netip.Prefix
	// MaxConnections bounds the open connections. When there are as many, idle ones are closed,
	// and new ones wait in the kernel's queue for one to close. Default 100,000; negative: any
	// number.
	MaxConnections int
	// MaxConnectionsPerClient bounds the open connections of one address, or of one IPv6 /64;
	// further ones are closed at once. Default 0: any number.
	MaxConnectionsPerClient int
	// Limits of request heads. Default: 8 KiB a request line, 64 KiB a head.
	Limits http1.Limits
}

// ErrClosed is returned by Serve after Shutdown.
var ErrClosed = errors.New("proxy is shut down")

// Proxy serves from one table. A request loads it once and keeps it to the end.
type Proxy struct {
	cfg   Config
	times timeouts
	body  socket.Pace // of request bodies
	send  socket.Pace // of answers
	takes socket.Pace // of uploads and tunnels: any, as long as the peer takes something
	live  atomic.Pointer[table]
	// unmatched counts requests that no route took.
	unmatched *stats
	access    *accessLog
	ids       requestIDs
	date      atomic.Pointer[string]
	closing   atomic.Bool
	conns     tracker
	faults    faults
	streams   *streams
	tunnels   drain // those of all endpoints, for Shutdown

	apply    sync.Mutex // held while a snapshot is compiled
	compiled *registry  // guarded by apply; read by Collect under it

	mu         sync.Mutex
	listeners  []*listener   // guarded by mu
	ticketKeys [][32]byte    // guarded by mu
	quit       chan struct{} // closed by Shutdown
	running    bool          // guarded by mu: the housekeeper was started
	work       sync.WaitGroup
}

// defaultRate is in bytes a second.
const defaultRate = 240

// timeouts are the Config's in nanoseconds.
type timeouts struct{ handshake, header, idle, body, write int64 }

// New makes a Proxy. It answers 503 until the first Apply.
func New(cfg Config) *Proxy {
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	cfg.MaxIdlePerEndpoint = cmp.Or(cfg.MaxIdlePerEndpoint, 256)
	p := &Proxy{
		cfg: cfg,
		times: timeouts{
			handshake: int64(cmp.Or(cfg.HandshakeTimeout, cfg.HeaderTimeout, 10*time.Second)),
			header:    int64(cmp.Or(cfg.HeaderTimeout, 10*time.Second)),
			idle:      int64(cmp.Or(cfg.IdleTimeout, 75*time.Second)),
			body:      int64(cmp.Or(cfg.BodyTimeout, 60*time.Second)),
			write:     int64(cmp.Or(cfg.WriteTimeout, 60*time.Second)),
		},
		unmatched: newStats(statsKey{}),
		compiled:  newRegistry(cfg.MaxIdlePerEndpoint),
		ids:       newRequestIDs(),
		quit:      make(chan struct{}),
	}
	grace := int64(cmp.Or(cfg.RateGrace, 10*time.Second))
	p.body = socket.Pace{Rate: max(0, cmp.Or(cfg.MinBodyRate, defaultRate)), Grace: grace}
	p.send = socket.Pace{Rate: max(0, cmp.Or(cfg.MinSendRate, defaultRate)), Grace: grace, Stall: p.times.write}
	p.takes = socket.Pace{Rate: 1, Grace: forever, Stall: p.times.write}
	if p.send.Rate == 0 {
		p.send = p.takes
	}
	p.conns.init()
	p.streams = newStreams(cfg)
	p.setDate(time.Now())
	if cfg.AccessLog != nil {
		p.access = newAccessLog(cfg.AccessLog, cfg.Log)
	}
	return p
}

// Apply serves from s from now on. Requests that are under way finish with the table that
// they started with. Whatever did not change since the last snapshot is used again.
func (p *Proxy) Apply(s *gateway.Snapshot) {
	p.apply.Lock()
	defer p.apply.Unlock()
	t := p.compiled.compile(s, p.live.Load())
	p.live.Store(t)
	p.streams.apply(s.Streams, p.compiled.upstream)
	p.compiled.release()
}

// Serve takes connections from ln until Shutdown, when it returns nil, or until ln fails
// for good. It closes ln.
func (p *Proxy) Serve(ln net.Listener, l Listener) error {
	lst, err := p.listen(ln, l)
	if err != nil {
		_ = ln.Close()
		return err
	}
	defer func() { _ = ln.Close() }()
	return lst.accept()
}

// Shutdown stops taking connections, closes the idle ones, tells the others to close after
// their request, and waits for them until ctx ends. WebSockets are asked to end a little before. Then it
// closes what is left and returns ctx's error, or what else it had to cut.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	first := !p.closing.Swap(true)
	if first {
		close(p.quit)
		if end, ok := ctx.Deadline(); ok {
			left := time.Until(end)
			p.tunnels.time.Store(max(1, int64(left-lastCall(left))))
			p.tunnels.leave()
		}
	}
	for _, l := range p.listeners {
		_ = l.ln.Close() // Serve returns; that is all there is to learn
	}
	p.mu.Unlock()
	var streams sync.WaitGroup
	streams.Go(func() { p.streams.shutdown(ctx.Done()) })
	err := p.conns.drain(ctx)
	if n := p.tunnels.stay(); n > 0 && err == nil {
		err = fmt.Errorf("%d WebSockets did not end when they were asked to", n)
	}
	streams.Wait()
	p.work.Wait()
	p.apply.Lock()
	p.compiled.closeAll()
	p.apply.Unlock()
	if first && p.access != nil {
		p.access.close()
	}
	return err
}

// housekeeping refreshes the date and drops old connections, once a second.
func (p *Proxy) housekeeping() {
	defer p.work.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			p.setDate(now)
			p.apply.Lock()
			p.compiled.sweep(socket.Now())
			p.streams.retry()
			p.apply.Unlock()
		case <-p.quit:
			return
		}
	}
}

// setDate keeps the text of the Date field, which origins may leave out (RFC 9110 section
// 6.6.1).
func (p *Proxy) setDate(now time.Time) {
	s := "Date: " + now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") + "\r\n"
	p.date.Store(&s)
}
