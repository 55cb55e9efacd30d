package hardening

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy"
)

// patience bounds every wait, for a machine that is busy with other work.
const patience = 20 * time.Second

// maxBody is what the routes of the cases allow.
const maxBody = 1 << 20

// edge is a proxy before an origin, with a listener for each kind of client.
type edge struct {
	o      *origin
	addr   map[string]string // by "plain", "trusted" and "short"
	blamed blamed
	from   net.IP // where the clients of a case come from that is not known by its connection alone; nil: 127.0.0.1
	runs   int
}

// blamed collects what the proxy holds against the origin.
type blamed struct {
	mu  sync.Mutex
	all []gateway.Failure // guarded by mu
}

func (b *blamed) Observe(o gateway.Outcome) {
	if o.Failure != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all = append(b.all, o.Failure)
	}
}

// take returns what there is and forgets it.
func (b *blamed) take() []gateway.Failure {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.all
	b.all = nil
	return all
}

// startEdge serves three hosts: api.test has a route for /api only, rules.test sends /admin
// to the upstream "admin", and every other host has a route for everything.
func startEdge(t *testing.T) *edge {
	t.Helper()
	o := startOrigin(t, "main", "admin")
	e := &edge{o: o, addr: map[string]string{}}
	snap := snapshot(o.addr)
	usual, short := proxy.New(proxy.Config{Observer: &e.blamed}), proxy.New(proxy.Config{
		Observer:      &e.blamed,
		HeaderTimeout: time.Second, IdleTimeout: time.Second, BodyTimeout: time.Second, WriteTimeout: time.Second,
	})
	for _, p := range []*proxy.Proxy{usual, short} {
		p.Apply(snap)
	}
	e.addr["plain"] = serve(t, usual, proxy.Listener{Name: "plain"})
	e.addr["trusted"] = serve(t, usual, proxy.Listener{Name: "trusted", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	e.addr["short"] = serve(t, short, proxy.Listener{Name: "short"})
	return e
}

func snapshot(origins map[string]string) *gateway.Snapshot {
	s := &gateway.Snapshot{Generation: 1}
	routes := map[string]*gateway.EffectiveRoute{}
	for _, name := range []string{"admin", "main"} {
		key := gateway.UpstreamKey{Tenant: "acme", Name: name}
		s.Upstreams = append(s.Upstreams, &gateway.EffectiveUpstream{
			Key: key, Protocol: "http",
			Endpoints: []gateway.Endpoint{{Address: origins[name], Weight: 1, InRotation: true}},
		})
		routes[name] = &gateway.EffectiveRoute{
			Tenant: "acme", Name: name, MaxBodySize: maxBody,
			Targets: []gateway.Target{{Upstream: key, Weight: 1}},
		}
	}
	rule := func(prefix, to string) gateway.Rule {
		return gateway.Rule{Path: gateway.PathMatch{Prefix: prefix}, Route: routes[to]}
	}
	s.Hosts = []*gateway.Host{
		{Name: "*", Tenant: "acme", Rules: []gateway.Rule{rule("/", "main")}},
		{Name: "api.test", Tenant: "acme", Rules: []gateway.Rule{rule("/api", "main")}},
		{Name: "rules.test", Tenant: "acme", Rules: []gateway.Rule{rule("/admin", "admin"), rule("/", "main")}},
	}
	return s
}

func serve(t *testing.T, p *proxy.Proxy, l proxy.Listener) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln, l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// begin prepares a run of a case. A request that the origin sees or not may still be on its way when
// the run is over: those have clients of their own, by which the origin knows them from the next
// run's.
func (e *edge) begin(c *rawCase, cut func(string) []string) {
	e.o.begin(c.script, cut, e.from)
	e.blamed.take()
	if e.from = nil; slices.ContainsFunc(c.seen, func(s sight) bool { return s.maybe }) {
		e.runs++
		e.from = net.IPv4(127, 64, byte(e.runs>>8), byte(e.runs))
	}
}

// user is a client connection.
type user struct {
	net.Conn
	br *bufio.Reader
	o  *origin
}

// dial connects to the listener that the case uses.
func (e *edge) dial(c *rawCase) (*user, error) {
	to := "plain"
	switch {
	case c.trusted:
		to = "trusted"
	case c.short:
		to = "short"
	}
	var d net.Dialer
	if e.from != nil {
		d.LocalAddr = &net.TCPAddr{IP: e.from}
	}
	nc, err := d.Dial("tcp", e.addr[to])
	if err != nil {
		return nil, err
	}
	return &user{nc, bufio.NewReader(nc), e.o}, nc.SetDeadline(time.Now().Add(patience))
}

// follow is the request behind the bytes of every case. The origin sees it if and only if
// the case lets the connection go on.
const follow = "GET /next HTTP/1.1\r\nHost: next.test\r\n\r\n"

// play sends what the case says. got carries a value for each answer that was read.
func (u *user) play(c *rawCase, cut func(string) []string, got <-chan int) {
	var text strings.Builder
	flush := func() {
		for p := range slowly(cut(text.String())) {
			if _, err := io.WriteString(u, p); err != nil {
				return // the proxy may have answered and closed
			}
		}
		text.Reset()
	}
	for _, s := range c.sends {
		switch s.do {
		case "":
			text.WriteString(s.text)
		case "wait":
			flush()
			select {
			case <-got:
			case <-time.After(patience):
			}
		case "settle":
			flush()
			u.o.settled()
		case "end":
			flush()
			_ = u.Conn.(*net.TCPConn).CloseWrite() // the proxy may have closed
			return
		}
	}
	text.WriteString(follow)
	flush()
}

// closed says whether nothing but the end of the stream is left.
func (u *user) closed() (rest string, ok bool) {
	b, err := io.ReadAll(io.LimitReader(u.br, 4096))
	return string(b), len(b) == 0 && (err == nil || isReset(err))
}

func isReset(err error) bool {
	return strings.Contains(err.Error(), "reset by peer") || strings.Contains(err.Error(), "broken pipe")
}
