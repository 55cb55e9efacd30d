package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/sluice-gateway/sluice/gateway"
)

var shadowKey = gateway.UpstreamKey{Tenant: "acme", Name: "shadow"}

// mirroring sends everything to one address and copies to another.
func mirroring(to, shadow string, percent int, change ...func(u, shadow *gateway.EffectiveUpstream, r *gateway.EffectiveRoute)) *gateway.Snapshot {
	copies := &gateway.EffectiveUpstream{Key: shadowKey, Protocol: "http", Endpoints: []gateway.Endpoint{{Address: shadow, Weight: 1, InRotation: true}}}
	s := snap([]string{to}, func(u *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		r.Mirror = &gateway.EffectiveMirror{Upstream: shadowKey, Percent: percent}
		for _, c := range change {
			c(u, copies, r)
		}
	})
	s.Upstreams = append(s.Upstreams, copies)
	return s
}

// copies collects what a mirror gets.
type copies struct {
	mu  sync.Mutex
	got []string // guarded by mu
}

func (c *copies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	text := string(b)
	if len(b) > 20 {
		text = fmt.Sprintf("%d of %q", len(b), b[0])
	}
	c.mu.Lock()
	c.got = append(c.got, fmt.Sprintf("%s %s %s %s mirror=%q for=%q %v", r.Method, r.Host, r.RequestURI, text, r.Header.Values("X-Sluice-Mirror"), r.Header.Get("X-Forwarded-For"), err))
	c.mu.Unlock()
	w.WriteHeader(500)
	_, _ = w.Write(make([]byte, 100_000)) // nobody is to see it
}

func (c *copies) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.got...)
}

// Copies have the method, host, path, query and body of the request and a header of their own,
// over every pair of codecs; the client gets the answer of the upstream.
func TestMirror(t *testing.T) {
	plain := &http.Client{Timeout: patience, Transport: &http.Transport{}}
	t.Cleanup(plain.CloseIdleConnections)
	echo := func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintf(w, "%d %v mirror=%q", n, err, r.Header.Values("X-Sluice-Mirror"))
	}
	for name, c := range map[string]struct {
		client   *http.Client
		h2, h2to bool
	}{"1 to 1": {plain, false, false}, "2 to 1": {priorKnowledge(t), false, false}, "1 to 2": {plain, true, true}, "2 to 2": {priorKnowledge(t), true, true}, "1 to 1, copies over 2": {plain, false, true}} {
		t.Run(name, func(t *testing.T) {
			var shadow copies
			to, at := httpOrigin(t, echo).addr, httpOrigin(t, shadow.ServeHTTP).addr
			if c.h2 {
				to = h2cOrigin(t, echo)
			}
			if c.h2to {
				at = h2cOrigin(t, shadow.ServeHTTP)
			}
			e := start(t, Config{}, Listener{}, mirroring(to, at, 100, func(u, s *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
				if c.h2 {
					u.Protocol = "h2c"
				}
				if c.h2to {
					s.Protocol = "h2c"
				}
			}))
			reg := prometheus.NewPedanticRegistry()
			reg.MustRegister(e)
			for i, r := range []struct {
				method, body string
				stream       bool // of a length that is not said
				want         string
			}{
				{"GET", "", false, ""}, {"POST", "abc", false, "abc"}, {"PUT", strings.Repeat("x", 60_000), false, "60000 of 'x'"},
				{"POST", strings.Repeat("y", 50_000), true, "50000 of 'y'"}, {"DELETE", "", false, ""},
			} {
				body := io.Reader(strings.NewReader(r.body))
				if r.stream {
					body = io.MultiReader(body)
				} else if r.body == "" {
					body = nil
				}
				req, err := http.NewRequest(r.method, fmt.Sprintf("http://%s/a/%d?q=1", e.addr, i), body)
				if err != nil {
					t.Fatal(err)
				}
				req.Host = "shop.test"
				req.Header.Set("X-Sluice-Mirror", "a lie")
				resp, err := c.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if want := fmt.Sprintf("%d <nil> mirror=[\"a lie\"]", len(r.body)); resp.StatusCode != 200 || string(b) != want {
					t.Errorf("%s: %s %q, want %q", r.method, resp.Status, b, want)
				}
				eventually(t, "a copy", func() bool { return len(shadow.all()) == i+1 })
				if got, want := shadow.all()[i], fmt.Sprintf(`%s shop.test /a/%d?q=1 %s mirror=["1"] for="127.0.0.1" <nil>`, r.method, i, r.want); got != want {
					t.Errorf("the copy is %q, want %q", got, want)
				}
			}
			eventually(t, "all counted", func() bool {
				return gather(t, reg)["sluice_mirror_requests_total result=sent route=all tenant=acme"] == 5
			})
			eventually(t, "the last request is counted", func() bool {
				return gather(t, reg)["sluice_requests_total code=200 listener=test route=all tenant=acme upstream=acme/api"] >= 5
			})
			if n := gather(t, reg)["sluice_requests_total code=200 listener=test route=all tenant=acme upstream=acme/api"]; n != 5 {
				t.Errorf("%v requests of clients are counted, want 5", n)
			}
		})
	}
}

// A mirror that hangs, refuses, is away or answers without end delays no client, holds a bounded
// number of copies, and what is dropped is counted.
func TestMirrorFaults(t *testing.T) {
	for name, c := range map[string]struct {
		serve  func(o *origin, c net.Conn)
		result string
	}{
		"hangs":   {func(_ *origin, c net.Conn) { _, _ = io.Copy(io.Discard, c) }, "busy"},
		"closes":  {func(_ *origin, c net.Conn) {}, "failed"},
		"floods":  {func(_ *origin, c net.Conn) { flood(c) }, "failed"},
		"garbage": {func(_ *origin, c net.Conn) { _, _ = io.WriteString(c, "no answer\r\n\r\n") }, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			shadow := startOrigin(t, c.serve)
			o := rawOrigin(t, hello, false)
			e := start(t, Config{}, Listener{}, mirroring(o.addr, shadow.addr, 100))
			reg := prometheus.NewPedanticRegistry()
			reg.MustRegister(e)
			client := e.dial(t)
			began := time.Now()
			for range 2 * maxDuplicates {
				if resp, _ := client.get("/"); resp.StatusCode != 200 {
					t.Fatal(resp.Status)
				}
			}
			if took := time.Since(began); took > patience {
				t.Errorf("requests took %s", took)
			}
			eventually(t, "counts", func() bool {
				return gather(t, reg)["sluice_mirror_requests_total result="+c.result+" route=all tenant=acme"] > 0
			})
			if n := shadow.opened(); n > maxDuplicates*3 {
				t.Errorf("%d connections to the mirror", n)
			}
		})
	}
}

// flood answers without end.
func flood(c net.Conn) {
	go func() { _, _ = io.Copy(io.Discard, c) }()
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	for {
		if _, err := io.WriteString(c, "1000\r\n"+strings.Repeat("x", 4096)+"\r\n"); err != nil {
			return
		}
	}
}

// Large bodies, those that break off and WebSockets are not copied; a share is.
func TestMirrorLeavesOut(t *testing.T) {
	var shadow copies
	at := httpOrigin(t, shadow.ServeHTTP).addr
	to := httpOrigin(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	e := start(t, Config{}, Listener{}, mirroring(to.addr, at, 100))
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(e)
	count := func(result string) float64 {
		return gather(t, reg)["sluice_mirror_requests_total result="+result+" route=all tenant=acme"]
	}
	c := e.dial(t)
	large := strings.Repeat("x", maxMirrored+1)
	c.send(crlf(fmt.Sprintf("POST / HTTP/1.1\nHost: x\nContent-Length: %d\n\n", len(large))) + large)
	c.answer("POST")
	c.send(crlf("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large))
	c.answer("POST")
	if n := count("body_size"); n != 2 {
		t.Errorf("%v are counted as too large, want 2", n)
	}
	c.send(crlf("POST /cut HTTP/1.1\nHost: x\nContent-Length: 50000\n\nabc"))
	eventually(t, "the cut one at the origin", func() bool { return len(to.seen()) == 3 })
	_ = c.Close()
	eventually(t, "the cut one", func() bool { return count("cut") == 1 })
	if got := shadow.all(); len(got) != 0 {
		t.Errorf("copied: %q", got)
	}
	for _, percent := range []int{10, 90} {
		e.Apply(mirroring(to.addr, at, percent))
		before, client := len(shadow.all())+int(count("busy")), e.dial(t)
		for range 400 {
			client.get("/")
		}
		eventually(t, "quiet", func() bool {
			return e.compiled.limits[statsKey{tenant: "acme", route: "all"}].mirrored.active.Load() == 0
		})
		if n := len(shadow.all()) + int(count("busy")) - before; n < 4*percent-80 || n > 4*percent+80 {
			t.Errorf("%d of 400 are copied, want about %d", n, 4*percent)
		}
	}
	e.Apply(snap([]string{to.addr}, nil))
	if e.compiled.upstreams[shadowKey] != nil || len(e.compiled.limits) != 0 {
		t.Error("the mirror is kept although nothing points at it")
	}
}

// A call of gRPC is copied as well.
func TestMirrorGRPC(t *testing.T) {
	e, cc := grpcThrough(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	srv := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		got <- info.FullMethod + " " + string(in.(*message).Value)
		return next(ctx, in)
	}))
	copied := calls
	copied.Methods = []grpc.MethodDesc{{MethodName: "Unary", Handler: func(_ any, ctx context.Context, read func(any) error, through grpc.UnaryServerInterceptor) (any, error) {
		in := new(message)
		if err := read(in); err != nil {
			return nil, err
		}
		return through(ctx, in, &grpc.UnaryServerInfo{FullMethod: "/test.Calls/Unary"}, func(_ context.Context, in any) (any, error) { return in, nil })
	}}}
	srv.RegisterService(&copied, nil)
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(srv.Stop)
	e.Apply(mirroring(e.snap.Upstreams[0].Endpoints[0].Address, ln.Addr().String(), 100, func(u, s *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
		u.Protocol, s.Protocol = "h2c", "h2c"
	}))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	in, out := &message{Value: []byte("hello")}, new(message)
	if err := cc.Invoke(ctx, "/test.Calls/Unary", in, out); err != nil || string(out.Value) != "hello" {
		t.Errorf("%q, %v", out.Value, err)
	}
	select {
	case text := <-got:
		if text != "/test.Calls/Unary hello" {
			t.Error(text)
		}
	case <-ctx.Done():
		t.Error("the call was not copied")
	}
}

// A copy is asked for as the upstream is: with what the route's filters make of the request.
func TestMirrorOfEditedRequests(t *testing.T) {
	var shadow copies
	at := httpOrigin(t, shadow.ServeHTTP).addr
	to := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.Host, r.RequestURI) }).addr
	s := mirroring(to, at, 100, func(_, _ *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		r.Rewrite = &gateway.Rewrite{Prefix: "/inner", Host: "in.test"}
	})
	for _, h := range s.Hosts {
		for i := range h.Rules {
			h.Rules[i].Path = gateway.PathMatch{Prefix: "/outer"}
		}
	}
	e := start(t, Config{}, Listener{}, s)
	req, err := http.NewRequest(http.MethodGet, "http://"+e.addr+"/outer/x?y=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "shop.test"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(b) != "in.test/inner/x?y=1" {
		t.Errorf("the upstream was asked for %s", b)
	}
	eventually(t, "a copy", func() bool { return len(shadow.all()) == 1 })
	if got := shadow.all()[0]; !strings.HasPrefix(got, "GET in.test /inner/x?y=1 ") {
		t.Errorf("the copy: %s", got)
	}
}
