package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/sluice-gateway/sluice/proxy/socket.(*loop).run")) // they stay for the life of the process
}

// patience bounds every wait of the tests, for a machine that is busy with other work.
const patience = 30 * time.Second

// origin is a server behind the proxy that a test scripts. It notes what it saw.
type origin struct {
	addr string
	ln   net.Listener
	wg   sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn // guarded by mu; all that were ever opened
	heads []string   // guarded by mu; request heads in the order of arrival
}

// startOrigin calls serve with each connection.
func startOrigin(t testing.TB, serve func(o *origin, c net.Conn)) *origin {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{addr: ln.Addr().String(), ln: ln}
	o.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.conns = append(o.conns, c)
			o.mu.Unlock()
			o.wg.Go(func() {
				defer func() { _ = c.Close() }()
				serve(o, c)
			})
		}
	})
	t.Cleanup(o.stop)
	return o
}

func (o *origin) stop() {
	_ = o.ln.Close()
	o.mu.Lock()
	for _, c := range o.conns {
		_ = c.Close()
	}
	o.mu.Unlock()
	o.wg.Wait()
}

// opened is how many connections there have been.
func (o *origin) opened() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

func (o *origin) seen() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.heads...)
}

// readHead reads up to an empty line and notes it.
func (o *origin) readHead(br *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return "", err
		}
		head.WriteString(line)
		if line == "\r\n" {
			o.mu.Lock()
			o.heads = append(o.heads, head.String())
			o.mu.Unlock()
			return head.String(), nil
		}
	}
}

// answering calls answer with each request head (bodies are not expected) until it reports false.
func answering(t testing.TB, answer func(c net.Conn, head string) (again bool)) *origin {
	return startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		for {
			head, err := o.readHead(br)
			if err != nil || !answer(c, head) {
				return
			}
		}
	})
}

// rawOrigin answers every request head with the bytes given, and closes after it when told so.
func rawOrigin(t testing.TB, answer string, thenClose bool) *origin {
	return answering(t, func(c net.Conn, _ string) bool {
		_, err := io.WriteString(c, answer)
		return err == nil && !thenClose
	})
}

// waitingOrigin answers requests for /wait when something comes over free, and all others at once.
func waitingOrigin(t testing.TB, free <-chan struct{}) *origin {
	return answering(t, func(c net.Conn, head string) bool {
		if strings.HasPrefix(head, "GET /wait ") {
			<-free
		}
		_, err := io.WriteString(c, hello)
		return err == nil
	})
}

// httpOrigin serves with net/http, the reference for what an origin understands.
func httpOrigin(t testing.TB, h http.HandlerFunc) *origin {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{addr: ln.Addr().String(), ln: ln}
	srv := &http.Server{
		DisableGeneralOptionsHandler: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			o.mu.Lock()
			o.heads = append(o.heads, r.Method+" "+r.RequestURI)
			o.mu.Unlock()
			h(w, r)
		}),
		ConnState: func(c net.Conn, s http.ConnState) {
			if s == http.StateNew {
				o.mu.Lock()
				o.conns = append(o.conns, c)
				o.mu.Unlock()
			}
		},
	}
	o.wg.Go(func() { _ = srv.Serve(ln) })
	t.Cleanup(func() {
		_ = srv.Close()
		o.wg.Wait()
	})
	return o
}

// observed collects outcomes.
type observed struct {
	mu  sync.Mutex
	all []gateway.Outcome // guarded by mu
}

func (o *observed) Observe(out gateway.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, out)
}

func (o *observed) get() []gateway.Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]gateway.Outcome(nil), o.all...)
}

// failures lists the failures that were observed, in order.
func (o *observed) failures() (fs []gateway.Failure) {
	for _, out := range o.get() {
		if out.Failure != "" {
			fs = append(fs, out.Failure)
		}
	}
	return fs
}

// edge is a proxy under test.
type edge struct {
	*Proxy
	addr     string
	observed *observed
	snap     *gateway.Snapshot
}

var testKey = gateway.UpstreamKey{Tenant: "acme", Name: "api"}

// snap makes a snapshot that sends everything to the addresses. change may alter it.
func snap(addrs []string, change func(u *gateway.EffectiveUpstream, r *gateway.EffectiveRoute)) *gateway.Snapshot {
	u := &gateway.EffectiveUpstream{Key: testKey, Protocol: "http"}
	for _, a := range addrs {
		u.Endpoints = append(u.Endpoints, gateway.Endpoint{Address: a, Weight: 1, InRotation: true})
	}
	r := &gateway.EffectiveRoute{
		Tenant: "acme", Name: "all", MaxBodySize: 64 << 20,
		Targets: []gateway.Target{{Upstream: testKey, Weight: 1}},
	}
	if change != nil {
		change(u, r)
	}
	rules := []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: r}}
	return &gateway.Snapshot{
		Generation: 1,
		Hosts:      []*gateway.Host{{Name: "*", Tenant: "acme", Rules: rules}},
		Upstreams:  []*gateway.EffectiveUpstream{u},
	}
}

// start serves s on a fresh port.
func start(t testing.TB, cfg Config, l Listener, s *gateway.Snapshot) *edge {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{addr: ln.Addr().String(), observed: &observed{}, snap: s}
	if cfg.Observer == nil {
		cfg.Observer = e.observed
	}
	e.Proxy = New(cfg)
	if s != nil {
		e.Apply(s)
	}
	l.Name = "test"
	served := make(chan error, 1)
	go func() { served <- e.Serve(ln, l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return e
}

// before starts a proxy in front of the origins.
func before(t testing.TB, origins ...*origin) *edge {
	t.Helper()
	var addrs []string
	for _, o := range origins {
		addrs = append(addrs, o.addr)
	}
	return start(t, Config{}, Listener{}, snap(addrs, nil))
}

// dial opens a client connection.
func (e *edge) dial(t testing.TB) *client {
	t.Helper()
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = c.Close() })
	return &client{c, bufio.NewReader(c), t}
}

// client is a raw client connection.
type client struct {
	net.Conn
	br *bufio.Reader
	t  testing.TB
}

// crlf lets tests write a line feed for CRLF.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// answer reads one answer to a request of that method, body included.
func (c *client) answer(method string) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("read answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("read body after %d bytes: %v", len(body), err)
	}
	return resp, string(body)
}

// get does one GET on the connection.
func (c *client) get(path string) (*http.Response, string) {
	c.t.Helper()
	c.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
	return c.answer("GET")
}

// all reads until the connection is closed.
func (c *client) all() string {
	c.t.Helper()
	b, err := io.ReadAll(c.br)
	if err != nil && !isReset(err) {
		c.t.Fatalf("read to the end: %v", err)
	}
	return string(b)
}

func isReset(err error) bool {
	return strings.Contains(err.Error(), "reset by peer") || strings.Contains(err.Error(), "broken pipe")
}

// closed says whether the connection is closed by the proxy and nothing more comes.
func (c *client) closed() bool {
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := c.br.ReadByte()
	return errors.Is(err, io.EOF) || err != nil && isReset(err)
}

// eventually polls until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// hello is an answer that many tests use.
const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

func timeAfter(ms int) <-chan time.Time { return time.After(time.Duration(ms) * time.Millisecond) }

// leanOrigin answers without allocating, so that benchmarks see the proxy alone.
func leanOrigin(t testing.TB, answer string) *origin {
	return startOrigin(t, func(_ *origin, c net.Conn) {
		in, out := make([]byte, 4096), []byte(answer)
		for {
			if _, err := c.Read(in); err != nil {
				return
			}
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	})
}
