package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/proxyproto"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// refusedCount reads how many connections were refused for that reason.
func refusedCount(t *testing.T, e *edge, reason string) float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(e)
	return gather(t, reg)["sluice_connections_refused_total listener=test reason="+reason]
}

// The address in the header is the client's, for everything.
func TestProxyHeader(t *testing.T) {
	o := rawOrigin(t, hello, false)
	var log syncBuffer
	e := start(t, Config{AccessLog: &log}, Listener{ProxyProtocol: loopback}, snap([]string{o.addr}, nil))
	tcp6 := proxyproto.Append(nil, proxyproto.V2, netip.MustParseAddrPort("[2001:db8::7]:1"), netip.MustParseAddrPort("[2001:db8::8]:80"))
	for _, c := range []struct{ name, header, client string }{
		{"v1", "PROXY TCP4 192.0.2.7 192.0.2.8 56324 80\r\n", "192.0.2.7"},
		{"v1 of IPv6", "PROXY TCP6 2001:db8::7 2001:db8::8 56324 80\r\n", "2001:db8::7"},
		{"v1 unknown", "PROXY UNKNOWN\r\n", "127.0.0.1"},
		{"v2", string(tcp6), "2001:db8::7"},
		{"v2 local", string(proxyproto.AppendUnknown(nil, proxyproto.V2)), "127.0.0.1"},
	} {
		for _, pieces := range []int{1, 3, 1000} {
			t.Run(fmt.Sprintf("%s in %d", c.name, pieces), func(t *testing.T) {
				before := len(o.seen())
				cl := e.dial(t)
				text := c.header + "GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
				step := max(1, len(c.header)/pieces)
				for i := 0; i < len(c.header); i += step {
					cl.send(text[:min(step, len(text))])
					text = text[min(step, len(text)):]
					if pieces > 1 {
						time.Sleep(200 * time.Microsecond)
					}
				}
				cl.send(text)
				if resp, body := cl.answer("GET"); resp.StatusCode != 200 || body != "hello" {
					t.Fatalf("%d, %q", resp.StatusCode, body)
				}
				cl.get("/b") // the header holds for the connection
				for _, head := range o.seen()[before:] {
					if !strings.Contains(head, "X-Forwarded-For: "+c.client+"\r\n") {
						t.Errorf("the origin got %q", head)
					}
				}
			})
		}
	}
	eventually(t, "the access log", func() bool { return strings.Count(log.String(), "\n") == 30 })
	var line map[string]any
	if err := json.Unmarshal([]byte(strings.SplitN(log.String(), "\n", 2)[0]), &line); err != nil || line["client"] != "192.0.2.7" {
		t.Errorf("%v, %v", line, err)
	}
}

// Whether a forwarding field is believed is decided by the client that the header names.
func TestProxyHeaderAndTrust(t *testing.T) {
	o := rawOrigin(t, hello, false)
	e := start(t, Config{}, Listener{ProxyProtocol: loopback, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, snap([]string{o.addr}, nil))
	for from, want := range map[string]string{"192.0.2.7": "203.0.113.9, 192.0.2.7", "198.51.100.1": "198.51.100.1"} {
		c := e.dial(t)
		c.send("PROXY TCP4 " + from + " 192.0.2.8 1 2\r\nGET /" + from + " HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
		c.answer("GET")
		if heads := o.seen(); !strings.Contains(heads[len(heads)-1], "X-Forwarded-For: "+want+"\r\n") {
			t.Errorf("%s: %q", from, heads[len(heads)-1])
		}
	}
}

func TestProxyHeaderRefused(t *testing.T) {
	o := rawOrigin(t, hello, false)
	e := start(t, Config{HeaderTimeout: 300 * time.Millisecond}, Listener{ProxyProtocol: loopback}, snap([]string{o.addr}, nil))
	for _, c := range []struct{ name, text, reason string }{
		{"none", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "proxy_header_missing"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaa", "proxy_header_missing"},
		{"malformed", "PROXY TCP4 192.0.2.7 192.0.2.8 056324 80\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "proxy_header_malformed"},
		{"too long", "PROXY UNKNOWN " + strings.Repeat("x", 200), "proxy_header_malformed"},
		{"never comes", "", "proxy_header_timeout"},
		{"half", "PROXY TCP4 192.0.2.7", "proxy_header_timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := refusedCount(t, e, c.reason)
			cl := e.dial(t)
			cl.send(c.text)
			if got := cl.all(); got != "" {
				t.Errorf("it is answered %q", got)
			}
			eventually(t, "it is counted", func() bool { return refusedCount(t, e, c.reason) == before+1 })
		})
	}
	if heads := o.seen(); len(heads) > 0 {
		t.Errorf("the origin saw %q", heads)
	}
	t.Run("leaves", func(t *testing.T) { // as health checkers do
		before := refusedCount(t, e, "client_left")
		_ = e.dial(t).Close()
		eventually(t, "it is counted", func() bool { return refusedCount(t, e, "client_left") == before+1 })
	})
	t.Run("twice", func(t *testing.T) {
		c := e.dial(t)
		c.send("PROXY UNKNOWN\r\nPROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp, _ := c.answer("GET"); resp.StatusCode != 400 {
			t.Errorf("%d", resp.StatusCode)
		}
	})
}

// From a peer that is not trusted a header is no request; without one it is a client.
func TestProxyHeaderFromAStranger(t *testing.T) {
	o := rawOrigin(t, hello, false)
	e := start(t, Config{}, Listener{ProxyProtocol: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, snap([]string{o.addr}, nil))
	v2 := string(proxyproto.Append(nil, proxyproto.V2, netip.MustParseAddrPort("192.0.2.7:1"), netip.MustParseAddrPort("192.0.2.8:80")))
	for i, header := range []string{"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n", v2} {
		c := e.dial(t)
		c.send(header + "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp, _ := c.answer("GET"); resp.StatusCode != 400 {
			t.Errorf("%q: %d", header, resp.StatusCode)
		}
		if n := refusedCount(t, e, "proxy_header_untrusted"); n != float64(i+1) {
			t.Errorf("%v are counted", n)
		}
	}
	if resp, _ := e.dial(t).get("/"); resp.StatusCode != 200 {
		t.Errorf("without a header: %d", resp.StatusCode)
	}
}

// Endpoints that want it are told the client; no connection serves two of them.
func TestProxyHeaderOut(t *testing.T) {
	type arrival struct {
		header proxyproto.Header
		head   string
		err    error
	}
	for v, version := range map[string]proxyproto.Version{"v1": proxyproto.V1, "v2": proxyproto.V2} {
		t.Run(v, func(t *testing.T) {
			arrivals := make(chan arrival, 100)
			o := startOrigin(t, func(_ *origin, c net.Conn) {
				var b []byte
				for {
					need, err := proxyproto.Need(b)
					if err != nil {
						arrivals <- arrival{err: err}
						return
					}
					if need == 0 {
						break
					}
					more := make([]byte, need)
					if _, err := io.ReadFull(c, more); err != nil {
						arrivals <- arrival{err: err}
						return
					}
					b = append(b, more...)
				}
				h, _, err := proxyproto.Parse(b)
				in := make([]byte, 4096)
				n, _ := c.Read(in)
				arrivals <- arrival{h, string(in[:n]), err}
				_, _ = io.WriteString(c, hello)
				if n, _ := c.Read(in); n > 0 {
					arrivals <- arrival{err: fmt.Errorf("a second request: %q", in[:n])}
				}
			})
			s := snap([]string{o.addr}, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) { u.ProxyProtocol = v })
			e := start(t, Config{}, Listener{}, s)
			via := start(t, Config{}, Listener{ProxyProtocol: loopback}, s)
			c, d := e.dial(t), via.dial(t)
			d.send("PROXY TCP4 192.0.2.7 192.0.2.8 56324 80\r\n")
			for range 3 {
				for _, cl := range []*client{c, d} {
					if resp, body := cl.get("/"); resp.StatusCode != 200 || body != "hello" || resp.Close {
						t.Fatalf("%d, %q", resp.StatusCode, body)
					}
					a := <-arrivals
					src, dst := cl.LocalAddr().String(), cl.RemoteAddr().String()
					if cl == d {
						src, dst = "192.0.2.7:56324", "192.0.2.8:80"
					}
					if a.err != nil || a.header.Version != version || a.header.Source.String() != src || a.header.Destination.String() != dst || !strings.HasPrefix(a.head, "GET / HTTP/1.1\r\n") {
						t.Errorf("%+v, want %s -> %s", a, src, dst)
					}
				}
			}
			e.Apply(snap([]string{o.addr}, nil)) // without it the endpoint takes nothing
			c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if a := <-arrivals; a.err == nil {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestConnectionsPerClient(t *testing.T) {
	o := rawOrigin(t, hello, false)
	e := start(t, Config{}, Listener{ProxyProtocol: loopback, MaxConnectionsPerClient: 2}, snap([]string{o.addr}, nil))
	open := func(from string) (*client, bool) {
		c := e.dial(t)
		c.send(from + "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		_, err := http.ReadResponse(c.br, nil)
		return c, err == nil
	}
	const a, b = "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n", "PROXY TCP4 192.0.2.9 192.0.2.8 1 2\r\n"
	first, ok1 := open(a)
	_, ok2 := open(a)
	_, ok3 := open(a)
	_, ok4 := open(b)
	if !ok1 || !ok2 || ok3 || !ok4 {
		t.Errorf("served: %v %v %v, another client %v", ok1, ok2, ok3, ok4)
	}
	if n := refusedCount(t, e, "client_limit"); n != 1 {
		t.Errorf("%v are counted", n)
	}
	_ = first.Close()
	eventually(t, "there is room again", func() bool { _, ok := open(a); return ok })
	// One host has a whole /64.
	_, ok1 = open("PROXY TCP6 2001:db8::1 ::1 1 2\r\n")
	_, ok2 = open("PROXY TCP6 2001:db8::ffff:1 ::1 1 2\r\n")
	_, ok3 = open("PROXY TCP6 2001:db8::2 ::1 1 2\r\n")
	_, ok4 = open("PROXY TCP6 2001:db8:0:1::1 ::1 1 2\r\n")
	if !ok1 || !ok2 || ok3 || !ok4 {
		t.Errorf("IPv6: served %v %v %v, another network %v", ok1, ok2, ok3, ok4)
	}
}

// A full listener lets new clients wait, gives up idle connections for them, and never one
// with a request.
func TestFullListener(t *testing.T) {
	o := newHeldOrigin(t)
	e := start(t, Config{}, Listener{MaxConnections: 3}, snap([]string{o.addr}, nil))
	busy := make([]*client, 3)
	for i := range busy {
		busy[i] = e.dial(t)
		busy[i].send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	eventually(t, "three requests", func() bool { return o.now.Load() == 3 })
	waits := e.dial(t)
	waits.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	time.Sleep(100 * time.Millisecond)
	if n := o.now.Load(); n != 3 {
		t.Fatalf("%d requests are served at a time", n)
	}
	o.let <- struct{}{} // one of them becomes idle, and makes room
	eventually(t, "the fourth is served", func() bool { return o.now.Load() == 3 })
	for range 3 {
		o.let <- struct{}{}
	}
	for _, c := range append(busy, waits) {
		if resp, body := c.answer("GET"); resp.StatusCode != 200 || body != "hello" {
			t.Errorf("%d, %q", resp.StatusCode, body)
		}
	}
	for range 20 { // each new one takes the place of an idle one
		c := e.dial(t)
		go func() { o.let <- struct{}{} }()
		if resp, _ := c.get("/"); resp.StatusCode != 200 {
			t.Errorf("%d", resp.StatusCode)
		}
	}
	if n := e.listeners[0].open.Load(); n > 3 {
		t.Errorf("%d connections are open", n)
	}
}
