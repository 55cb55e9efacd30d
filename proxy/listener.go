package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// maxListeners bounds the listeners of one Proxy: counters are kept in arrays by listener.
const maxListeners = 16

// listener is one place where connections come from.
type listener struct {
	Listener
	p     *Proxy
	ln    net.Listener
	index int         // in the arrays of counters
	shake *handshakes // nil: no TLS
	arrivals
}

func (p *Proxy) listen(ln net.Listener, l Listener) (*listener, error) {
	l.Scheme = cmp.Or(l.Scheme, "http")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing.Load() {
		return nil, ErrClosed
	}
	if len(p.listeners) == maxListeners {
		return nil, fmt.Errorf("listen on %s: more than %d listeners", ln.Addr(), maxListeners)
	}
	l.MaxConnections = cmp.Or(l.MaxConnections, defaultMaxConnections)
	lst := &listener{Listener: l, p: p, ln: ln, index: len(p.listeners)}
	if l.TLS != nil {
		lst.secure()
	}
	lst.freed, lst.clients = make(chan struct{}, 1), map[netip.Addr]int{}
	p.listeners = append(p.listeners, lst)
	if !p.running {
		p.running = true
		p.work.Add(1)
		go p.housekeeping()
	}
	return lst, nil
}

// accept starts one goroutine per connection. When the process has run out of file
// descriptors it waits a little and goes on.
func (l *listener) accept() error {
	var pause time.Duration
	for {
		if !l.awaitRoom() {
			return nil
		}
		nc, err := l.ln.Accept()
		switch {
		case err == nil:
			pause = 0
			l.start(nc)
		case l.p.closing.Load():
			return nil
		case !temporary(err):
			return fmt.Errorf("accept on listener %q: %w", l.Name, err)
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			l.p.cfg.Log.Warn("accept failed, trying again", "listener", l.Name, "err", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-l.p.quit:
			}
		}
	}
}

// temporary says whether accepting may work again later. The deprecated Temporary is the
// only thing that tells ECONNABORTED and EMFILE from a closed socket on every platform.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func (l *listener) start(nc net.Conn) {
	c := newConn(l, nc)
	l.open.Add(1)
	if !l.p.conns.add(c) { // shut down meanwhile
		_ = nc.Close()
		l.depart(c)
		return
	}
	go c.serve()
}

// trusts says whether the peer's word on forwarding is taken.
func (l *listener) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(l.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
