package proxy

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/proxy/proxyproto"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// refusal is why a connection is closed before its first request.
type refusal uint8

const (
	refusedMissing   refusal = iota // a trusted peer sent no PROXY header
	refusedMalformed                // it sent a bad one
	refusedLate                     // it sent none, or a part, within the header timeout
	refusedLeft                     // it left before that, as health checkers do
	refusedUntrusted                // a PROXY header from whom none is taken
	refusedMany                     // the client has as many connections as it may
	numRefusals
)

var refusalNames = [numRefusals]string{"proxy_header_missing", "proxy_header_malformed", "proxy_header_timeout", "client_left", "proxy_header_untrusted", "client_limit"}

// arrivals is what a listener keeps of its connections. It is touched when one opens or
// closes, never per request.
type arrivals struct {
	open    atomic.Int64
	freed   chan struct{} // gets a value, at times, when a connection has closed
	paused  atomic.Uint64 // times that accepting had to wait for room
	refused [numRefusals]atomic.Uint64

	mu      sync.Mutex
	clients map[netip.Addr]int // guarded by mu; open connections, if they are limited
}

// arrive finds out whom a new connection is from, and whether it may stay.
func (c *conn) arrive() bool {
	if within(c.l.ProxyProtocol, c.from.Addr()) {
		if err := c.readProxyHeader(); err != nil {
			c.l.refused[refusalOf(err)].Add(1)
			return false
		}
	}
	if c.l.MaxConnectionsPerClient > 0 && !c.l.enlist(c) {
		c.l.refused[refusedMany].Add(1)
		return false
	}
	return true
}

func within(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// identify notes whom the connection is from.
func (c *conn) identify(from netip.AddrPort) {
	c.from = from
	c.trusted, c.peerText = c.l.trusts(c.peer()), nil
	if !c.trusted {
		var room [192]byte
		c.peerText = bytes.Clone(appendPeer(room[:0], c.peer(), c.l.Scheme))
	}
}

// peer is the client's address, without its port.
func (c *conn) peer() netip.Addr { return c.from.Addr() }

// readProxyHeader reads exactly the PROXY header that the connection begins with, so that a
// TLS hello behind it stays where it is, and takes over whom it names.
func (c *conn) readProxyHeader() error {
	b := getBytes(proxyproto.MaxSize)
	defer putBytes(b)
	c.s.SetReadDeadline(socket.Now() + c.p.times.header)
	for n := 0; ; {
		need, err := proxyproto.Need(b[:n])
		if err != nil {
			return err
		}
		if need == 0 {
			h, _, err := proxyproto.Parse(b[:n])
			if err == nil && h.Source.IsValid() {
				c.to = &h.Destination
				c.identify(h.Source)
			}
			return err
		}
		k, err := c.s.Read(b[n : n+need])
		if err != nil {
			return err
		}
		n += k
	}
}

func refusalOf(err error) refusal {
	switch {
	case errors.Is(err, proxyproto.ErrNone):
		return refusedMissing
	case errors.Is(err, proxyproto.ErrMalformed), errors.Is(err, proxyproto.ErrTooLong), errors.Is(err, proxyproto.ErrChecksum):
		return refusedMalformed
	case errors.Is(err, socket.ErrTimeout), errors.Is(err, socket.ErrInterrupted):
		return refusedLate
	}
	return refusedLeft
}

// suspect counts a PROXY header that came as a request: from a peer that is not trusted, or
// twice.
func (c *conn) suspect(head []byte) {
	if !c.began && proxyproto.Begins(head) {
		c.l.refused[refusedUntrusted].Add(1)
	}
}

// enlist counts the connection among those of its client, unless there are too many.
func (l *listener) enlist(c *conn) bool {
	k := clientKey(c.peer())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clients[k] >= l.MaxConnectionsPerClient {
		return false
	}
	l.clients[k]++
	c.enlisted = true
	return true
}

// clientKey is the address that stands for a client: of IPv6 the first 64 bits, since one
// host has all that follow.
func clientKey(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// depart undoes what start and arrive did.
func (l *listener) depart(c *conn) {
	if c.enlisted {
		k := clientKey(c.peer())
		l.mu.Lock()
		if l.clients[k]--; l.clients[k] == 0 {
			delete(l.clients, k)
		}
		l.mu.Unlock()
	}
	l.open.Add(-1)
	select {
	case l.freed <- struct{}{}:
	default:
	}
}

// destination is the address that the client connected to.
func (c *conn) destination() netip.AddrPort {
	if c.to == nil || !c.to.IsValid() {
		return addrPort(c.s.Net().LocalAddr())
	}
	return *c.to
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
