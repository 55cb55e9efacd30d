package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/test/freeport"
)

// once probes a real endpoint one time.
func once(t *testing.T, check gateway.ActiveCheck, address string) Result {
	t.Helper()
	return onceAs(t, Target{Check: &check}, address)
}

// onceAs probes it as a target of any kind.
func onceAs(t *testing.T, target Target, address string) Result {
	t.Helper()
	target.Check = filled(gateway.EffectiveCheck{Active: target.Check}).Active
	target.Address = address
	return NewProber(nil).timed(new(span), address, newQuestion(target))
}

func TestHTTPProbe(t *testing.T) {
	var seen atomic.Pointer[http.Request]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r)
		if r.URL.Path == "/hints" {
			w.WriteHeader(http.StatusEarlyHints)
		}
		status := http.StatusOK
		if s := r.URL.Query().Get("s"); s != "" {
			_, _ = fmt.Sscan(s, &status)
		}
		w.WriteHeader(status)
		if status == http.StatusOK {
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		}
	}))
	defer srv.Close()
	address := srv.Listener.Addr().String()

	for _, c := range []struct {
		name   string
		check  gateway.ActiveCheck
		status int
		err    string
	}{
		{"defaults", gateway.ActiveCheck{}, 200, ""},
		{"large body", gateway.ActiveCheck{Path: "/large"}, 200, ""},
		{"after 103", gateway.ActiveCheck{Path: "/hints"}, 200, ""},
		{"redirect is not followed", gateway.ActiveCheck{Path: "/?s=302"}, 302, ""},
		{"edge of the range", gateway.ActiveCheck{Path: "/?s=399"}, 399, ""},
		{"beyond the range", gateway.ActiveCheck{Path: "/?s=404"}, 404, "status 404, expected 200-399"},
		{"expected 404", gateway.ActiveCheck{Path: "/?s=404", Expect: []string{"200", "401-404"}}, 404, ""},
		{"unexpected 200", gateway.ActiveCheck{Expect: []string{"204", "301"}}, 200, "status 200, expected 204, 301"},
		{"503", gateway.ActiveCheck{Path: "/?s=503"}, 503, "status 503, expected 200-399"},
		{"tcp", gateway.ActiveCheck{Type: "tcp"}, 0, ""},
		{"bad range", gateway.ActiveCheck{Expect: []string{"2xx"}}, 0, `cannot read the expected status "2xx": write a status or a range such as 200-399`},
		{"bad path", gateway.ActiveCheck{Path: "healthz"}, 0, `cannot ask for path "healthz": write an absolute path such as /healthz`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := once(t, c.check, address)
			if r.Status != c.status || r.Err != c.err {
				t.Errorf("status %d, error %q; want %d, %q", r.Status, r.Err, c.status, c.err)
			}
		})
	}

	once(t, gateway.ActiveCheck{Path: "/healthz?deep=1", Host: "shop.example.com"}, address)
	got := seen.Load()
	if got.Host != "shop.example.com" || got.URL.String() != "/healthz?deep=1" || got.UserAgent() != UserAgent || !got.Close || got.Method != "GET" {
		t.Errorf("the endpoint saw %s %s, host %q, user agent %q, close %v", got.Method, got.URL, got.Host, got.UserAgent(), got.Close)
	}
	once(t, gateway.ActiveCheck{}, address)
	if got := seen.Load(); got.Host != address {
		t.Errorf("default host is %q, want the address %q", got.Host, address)
	}
}

// serveRaw answers each connection with what talk does.
func serveRaw(t *testing.T, talk func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer closeQuietly(conn)
				talk(conn)
			})
		}
	})
	t.Cleanup(func() {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
	return ln.Addr().String()
}

// untilClosed reads until the peer closes: an endpoint that accepts and never answers.
func untilClosed(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func TestProbeFailures(t *testing.T) {
	refused := freeport.Address(t)
	readHead := func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }
	write := func(c net.Conn, s string) { _, _ = io.WriteString(c, s) }

	for _, c := range []struct {
		name, typ, address, err string
	}{
		{"refused http", "http", refused, "connection refused"},
		{"refused tcp", "tcp", refused, "connection refused"},
		{"never answers", "http", serveRaw(t, untilClosed), "no answer within 300ms"},
		{"half a head", "http", serveRaw(t, func(c net.Conn) { write(c, "HTTP/1.1 200 OK\r\nX: "); untilClosed(c) }), "no answer within 300ms"},
		{"closes", "http", serveRaw(t, readHead), "closed the connection before answering"},
		{"not http", "http", serveRaw(t, func(c net.Conn) { readHead(c); write(c, "SSH-2.0-OpenSSH_9.2\r\n") }), "the answer is not HTTP/1.1"},
		{"endless head", "http", serveRaw(t, func(c net.Conn) {
			readHead(c)
			write(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2*maxProbeHead))
		}), "closed the connection before answering"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := once(t, gateway.ActiveCheck{Type: c.typ, Timeout: gateway.Duration(300 * time.Millisecond)}, c.address)
			if c.name == "endless head" && r.Err != "" {
				return // the kernel may also have reset the connection: any failure is right
			}
			if r.Err != c.err {
				t.Errorf("error %q, want %q", r.Err, c.err)
			}
		})
	}
}

// A status that has arrived decides; a body that never ends does not spoil it.
func TestProbeEndlessBody(t *testing.T) {
	address := serveRaw(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n")
		untilClosed(c)
	})
	r := once(t, gateway.ActiveCheck{Timeout: gateway.Duration(20 * time.Second)}, address)
	if r.Err != "" || r.Status != 200 || r.Latency > 10*time.Second {
		t.Errorf("got %+v, want 200 soon", r)
	}
}

func TestPause(t *testing.T) {
	for _, c := range []struct {
		interval  time.Duration
		unsettled bool
		jitter    float64
		want      time.Duration
	}{
		{5 * time.Second, false, 0.5, 5 * time.Second},
		{5 * time.Second, false, 0, 4500 * time.Millisecond},
		{5 * time.Second, false, 1, 5500 * time.Millisecond},
		{5 * time.Second, true, 0.5, time.Second},
		{time.Minute, true, 0.5, time.Second},
		{2 * time.Second, true, 0.5, 400 * time.Millisecond},
		{500 * time.Millisecond, true, 0.5, 200 * time.Millisecond},
		{100 * time.Millisecond, true, 0.5, 100 * time.Millisecond},
	} {
		if got := pause(c.interval, c.unsettled, c.jitter); got != c.want {
			t.Errorf("pause(%s, %v, %v) = %s, want %s", c.interval, c.unsettled, c.jitter, got, c.want)
		}
	}
}

// The first 64 probes start at once, the rest one every 2 ms, none later than an interval.
func TestFirstDelay(t *testing.T) {
	p, now := NewProber(nil), start
	for i := range 64 {
		if d := p.firstDelay(now, 5*time.Second); d != 0 {
			t.Fatalf("first probe %d waits %s", i, d)
		}
	}
	if d := p.firstDelay(now, 5*time.Second); d != firstGap {
		t.Errorf("probe 65 waits %s, want %s", d, firstGap)
	}
	for range 5000 {
		if d := p.firstDelay(now, 5*time.Second); d < 0 || d > 5*time.Second {
			t.Fatalf("a first probe waits %s", d)
		}
	}
	if d := p.firstDelay(now.Add(time.Minute), 5*time.Second); d != 0 {
		t.Errorf("a minute later the first probe waits %s", d)
	}
}

// calls counts probes of a prober whose connections are made by dial.
type calls struct {
	mu    sync.Mutex
	times map[string][]time.Duration // since the beginning, by address
}

func (b *calls) count(address string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.times[address])
}

var keyAPI = gateway.UpstreamKey{Tenant: "acme", Name: "api"}

func target(address string, interval time.Duration) Target {
	return Target{EndpointKey: gateway.EndpointKey{Upstream: keyAPI, Address: address},
		Check: &gateway.ActiveCheck{Type: "tcp", Interval: gateway.Duration(interval), Timeout: gateway.Duration(4 * time.Second), Rise: 2, Fall: 3}}
}

// One endpoint that never answers delays no other, and is itself probed serially.
func TestProberIsParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := calls{times: map[string][]time.Duration{}}
		begin := time.Now()
		p := NewProber(func(context.Context, Target, Result) bool { return false })
		var inFlight atomic.Int32
		p.dial = func(ctx context.Context, _, address string) (net.Conn, error) {
			b.mu.Lock()
			b.times[address] = append(b.times[address], time.Since(begin))
			b.mu.Unlock()
			if address == "blackhole" {
				if inFlight.Add(1) > 1 {
					t.Error("two probes of one endpoint at once")
				}
				<-ctx.Done()
				inFlight.Add(-1)
				return nil, ctx.Err()
			}
			return nil, syscall.ECONNREFUSED
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		p.Set(keyAPI, []Target{target("blackhole", 5*time.Second), target("good", 5*time.Second)})
		time.Sleep(60 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		// 60 s in steps of 4.5 to 5.5 s, and a tick: 11 to 14 probes, the first one at once.
		for _, a := range []string{"good", "blackhole"} {
			if n := len(b.times[a]); n < 11 || n > 14 || b.times[a][0] != 0 {
				t.Errorf("%s was probed at %v", a, b.times[a])
			}
		}
		for i, at := range b.times["good"][1:] {
			if gap := at - b.times["good"][i]; gap < 4500*time.Millisecond || gap > 5500*time.Millisecond+tick {
				t.Errorf("probe %d of the good endpoint came after %s", i+1, gap)
			}
		}
	})
}

// A removed endpoint is not probed any more, and the probe that is under way ends at once.
// One that stays keeps its rhythm; one whose check changed starts again.
func TestProberSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := calls{times: map[string][]time.Duration{}}
		ended := make(chan struct{}, 9)
		p := NewProber(func(context.Context, Target, Result) bool { return false })
		p.dial = func(ctx context.Context, _, address string) (net.Conn, error) {
			b.mu.Lock()
			b.times[address] = append(b.times[address], 0)
			b.mu.Unlock()
			if address == "gone" {
				<-ctx.Done()
				ended <- struct{}{}
			}
			return nil, errors.New("nobody there")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		// Targets set before Run are probed from its beginning.
		p.Set(keyAPI, []Target{target("gone", time.Hour), target("stays", time.Hour), target("changes", time.Hour)})
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		if b.count("gone") != 1 || b.count("stays") != 1 || b.count("changes") != 1 {
			t.Errorf("first probes: %v", b.times)
		}
		p.Set(keyAPI, []Target{target("stays", time.Hour), target("changes", 2*time.Hour)})
		synctest.Wait()
		if len(ended) != 1 {
			t.Error("the probe of a removed endpoint goes on")
		}
		if b.count("stays") != 1 || b.count("changes") != 2 {
			t.Errorf("after the change: %v", b.times)
		}
		p.Set(keyAPI, nil)
		time.Sleep(5 * time.Hour)
		if b.count("gone") != 1 || b.count("stays") != 1 || b.count("changes") != 2 {
			t.Errorf("probes of removed endpoints: %v", b.times)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		p.Set(keyAPI, []Target{target("late", time.Hour)})
		synctest.Wait()
		if b.count("late") != 0 {
			t.Error("a target was probed after the end of Run")
		}
	})
}
