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
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Under load, changes of endpoints and routes fail no request and close no connection of a
// client.
func TestSwapUnderLoad(t *testing.T) {
	var origins []*origin
	for range 4 {
		origins = append(origins, httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "hello")
		}))
	}
	e := before(t, origins...)
	var stop atomic.Bool
	var requests atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		c := e.dial(t)
		wg.Go(func() {
			text := "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
			if i%2 == 1 {
				text = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
			}
			for !stop.Load() {
				if _, err := io.WriteString(c, text); err != nil {
					t.Errorf("send: %v", err)
					return
				}
				resp, err := http.ReadResponse(c.br, nil)
				if err != nil {
					t.Errorf("answer: %v", err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != 200 || string(body) != "hello" {
					t.Errorf("status %d, %q, %v", resp.StatusCode, body, err)
					return
				}
				requests.Add(1)
			}
		})
	}
	for i := range 300 {
		var addrs []string
		for k, o := range origins {
			if k == 0 || (i>>(k-1))&1 == 0 {
				addrs = append(addrs, o.addr)
			}
		}
		s := snap(addrs, nil)
		s.Generation = uint64(i + 2)
		if i%3 == 0 {
			s.Hosts = e.snap.Hosts // an endpoint change leaves the hosts as they are
		}
		e.Apply(s)
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	if requests.Load() < 100 {
		t.Errorf("only %d requests", requests.Load())
	}
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("failures %v", fs)
	}
}

// The connections of endpoints that stay are kept, those of endpoints that leave are
// closed, and a request that is under way there finishes.
func TestEndpointLeaves(t *testing.T) {
	hold := make(chan struct{})
	slow := waitingOrigin(t, hold)
	stays := rawOrigin(t, hello, false)
	e := before(t, slow)
	c := e.dial(t)
	c.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "the request arrives", func() bool { return len(slow.seen()) == 1 })
	e.Apply(snap([]string{stays.addr}, nil))
	other := e.dial(t)
	for range 5 {
		other.get("/")
		e.Apply(snap([]string{stays.addr}, nil))
	}
	if stays.opened() != 1 {
		t.Errorf("%d connections to the endpoint that stays", stays.opened())
	}
	close(hold)
	if resp, body := c.answer("GET"); resp.StatusCode != 200 || body != "hello" {
		t.Errorf("%d, %q", resp.StatusCode, body)
	}
	e.apply.Lock()
	n := len(e.compiled.endpoints)
	e.apply.Unlock()
	if n != 1 {
		t.Errorf("%d endpoints are remembered", n)
	}
}

// An upstream that goes and comes back serves again, though the hosts stayed the same.
func TestUpstreamComesBack(t *testing.T) {
	o := rawOrigin(t, hello, false)
	e := before(t, o)
	c := e.dial(t)
	without := *e.snap
	without.Upstreams = nil
	for range 3 {
		if resp, _ := c.get("/"); resp.StatusCode != 200 {
			t.Errorf("with: %d", resp.StatusCode)
		}
		e.Apply(&without)
		if resp, _ := c.get("/"); resp.StatusCode != 503 {
			t.Errorf("without: %d", resp.StatusCode)
		}
		e.Apply(e.snap)
	}
}

func TestRoutesShareByWeight(t *testing.T) {
	a, b := rawOrigin(t, hello, false), rawOrigin(t, hello, false)
	s := snap([]string{a.addr}, nil)
	canary := &gateway.EffectiveUpstream{Key: gateway.UpstreamKey{Tenant: "acme", Name: "canary"},
		Endpoints: []gateway.Endpoint{{Address: b.addr, Weight: 1, InRotation: true}}}
	s.Upstreams = append(s.Upstreams, canary)
	r := s.Hosts[0].Rules[0].Route
	r.Targets = []gateway.Target{{Upstream: testKey, Weight: 9}, {Upstream: canary.Key, Weight: 1}}
	c := start(t, Config{}, Listener{}, s).dial(t)
	for range 50 {
		c.get("/")
	}
	if len(a.seen()) != 45 || len(b.seen()) != 5 {
		t.Errorf("%d and %d", len(a.seen()), len(b.seen()))
	}
}

func TestShutdown(t *testing.T) {
	hold := make(chan struct{})
	o := startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		for {
			head, err := o.readHead(br)
			if err != nil {
				return
			}
			if strings.Contains(head, "/slow") {
				<-hold
			}
			_, _ = io.WriteString(c, hello)
		}
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := New(Config{})
	p.Apply(snap([]string{o.addr}, nil))
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln, Listener{Name: "test"}) }()
	e := &edge{Proxy: p, addr: ln.Addr().String()}
	idle, busy, fresh := e.dial(t), e.dial(t), e.dial(t)
	idle.get("/")
	busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "the slow request arrives", func() bool { return len(o.seen()) == 2 })

	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		down <- p.Shutdown(ctx)
	}()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if !idle.closed() || !fresh.closed() {
		t.Error("an idle connection stays open")
	}
	select {
	case err := <-down:
		t.Fatalf("Shutdown did not wait: %v", err)
	default:
	}
	close(hold)
	if resp, body := busy.answer("GET"); body != "hello" || !resp.Close {
		t.Errorf("%q, close %v", body, resp.Close)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := net.DialTimeout("tcp", e.addr, time.Second); err == nil {
		t.Error("the listener is still open")
	}
	if err := p.Serve(ln, Listener{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

// When the time is up, Shutdown ends what is left.
func TestShutdownTimeout(t *testing.T) {
	o := startOrigin(t, func(o *origin, c net.Conn) {
		_, _ = o.readHead(bufio.NewReader(c))
		_, _ = io.Copy(io.Discard, c)
	})
	e := before(t, o)
	c := e.dial(t)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "the request arrives", func() bool { return len(o.seen()) == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := e.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if !c.closed() {
		t.Error("the connection is still open")
	}
}

// Requests that arrive while the proxy shuts down are served or see a closed connection, but
// never half an answer.
func TestShutdownUnderLoad(t *testing.T) {
	o := rawOrigin(t, hello, false)
	e := before(t, o)
	var wg sync.WaitGroup
	for range 8 {
		c := e.dial(t)
		wg.Go(func() {
			for {
				if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					return
				}
				resp, err := http.ReadResponse(c.br, nil)
				if err != nil {
					return
				}
				if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" {
					t.Errorf("%q, %v", body, err)
				}
				if resp.Close {
					return
				}
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

// wrapped hides TCP from the proxy, as TLS does.
type wrapped struct{ net.Listener }

func (w wrapped) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ net.Conn }{c}, nil
}

// Connections that are no plain TCP take the same way without its short cuts.
func TestWrappedConnections(t *testing.T) {
	o := httpOrigin(t, echoSum)
	e := before(t, o)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- e.Serve(wrapped{ln}, Listener{Name: "wrapped", Scheme: "https"}) }()
	t.Cleanup(func() {
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	c := (&edge{Proxy: e.Proxy, addr: ln.Addr().String()}).dial(t)
	body := strings.Repeat("x", 500_000)
	for _, path := range []string{"/length", "/length?n=500000", "/chunked?n=500000"} {
		c.get(path)
		go func() {
			_, _ = io.WriteString(c, "PUT "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n"+body)
		}()
		if resp, got := c.answer("PUT"); resp.StatusCode != 200 || len(got) < 64 {
			t.Errorf("%s: %d, %d bytes", path, resp.StatusCode, len(got))
		}
	}
}
