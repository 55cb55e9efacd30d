package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

func TestMetrics(t *testing.T) {
	o := rawOrigin(t, hello, false)
	e := before(t, o)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(e)
	c := e.dial(t)
	for range 3 {
		c.get("/")
	}
	bad := e.dial(t)
	bad.send("bad\r\n\r\n")
	bad.all()
	want := map[string]float64{
		"sluice_requests_total code=200 listener=test route=all tenant=acme upstream=acme/api":     3,
		"sluice_requests_total code=400 listener=test route= tenant= upstream=":                    1,
		"sluice_upstream_requests_total endpoint=" + o.addr + " outcome=success upstream=acme/api": 3,
		"sluice_connections listener=test state=idle":                                              1,
		"sluice_connections listener=test state=active":                                            0,
	}
	eventually(t, "the counts", func() bool { return maps.Equal(gather(t, reg), want) })
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "sluice_request_seconds" {
			for _, m := range f.GetMetric() {
				h := m.GetHistogram()
				if h.GetSampleCount() == 0 || h.GetSampleSum() < 0 || len(h.GetBucket()) != numBuckets-1 {
					t.Errorf("histogram %v", h)
				}
			}
			return
		}
	}
	t.Error("no sluice_request_seconds")
}

// gather reads all counters and gauges.
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetHistogram() != nil {
				continue
			}
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}

func TestBuckets(t *testing.T) {
	for took, want := range map[int64]int{0: 0, 1 << minBucket: 0, 1<<minBucket + 1: 1, 1 << (minBucket + 1): 1, 1<<(minBucket+3) - 1: 3, 1 << 62: numBuckets - 1} {
		if got := bucket(took); got != want {
			t.Errorf("%d falls into %d, want %d", took, got, want)
		}
	}
}

// syncBuffer is a writer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestAccessLog(t *testing.T) {
	o := rawOrigin(t, hello, false)
	var out syncBuffer
	e := start(t, Config{AccessLog: &out}, Listener{}, snap([]string{o.addr}, nil))
	c := e.dial(t)
	c.send("GET /a/%22?secret HTTP/1.1\r\nHost: Shop.test:80\r\n\r\n")
	c.answer("GET")
	c.send("nonsense\r\n\r\n")
	own := c.all()
	eventually(t, "two lines", func() bool { return strings.Count(out.String(), "\n") == 2 })
	lines := strings.Split(out.String(), "\n")
	var ok, bad map[string]any
	if err := errors.Join(json.Unmarshal([]byte(lines[0]), &ok), json.Unmarshal([]byte(lines[1]), &bad)); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	for k, want := range map[string]any{
		"listener": "test", "client": "127.0.0.1", "method": "GET", "host": "Shop.test", "path": "/a/%22", "status": 200.0, "bytes": 5.0,
		"tenant": "acme", "route": "all", "upstream": "api", "endpoint": o.addr, "generation": 1.0,
	} {
		if ok[k] != want {
			t.Errorf("%s is %v, want %v", k, ok[k], want)
		}
	}
	if bad["status"] != 400.0 || bad["reason"] != "method" || !strings.Contains(own, "request id: "+bad["id"].(string)) {
		t.Errorf("%v; the client got %s", bad, own)
	}
}

// stuck is a writer that never returns while it is held.
type stuck struct{ held sync.Mutex }

func (s *stuck) Write(p []byte) (int, error) {
	s.held.Lock()
	defer s.held.Unlock()
	return len(p), nil
}

// A writer that hangs costs lines, not requests.
func TestAccessLogDrops(t *testing.T) {
	o := rawOrigin(t, hello, false)
	var out stuck
	out.held.Lock()
	e := start(t, Config{AccessLog: &out}, Listener{}, snap([]string{o.addr}, nil))
	c := e.dial(t)
	path := "/" + strings.Repeat("a", 3000)
	eventually(t, "lines are dropped", func() bool {
		for range 100 {
			c.get(path)
		}
		return e.access.dropped.Load() > 0
	})
	out.held.Unlock()
}

func TestQuote(t *testing.T) {
	for _, s := range []string{"", "a", `"\`, "\x00\n\x1f", "caf\u00e9 \U0001F600", "\xff\xfe", "a\xe2\x82"} {
		var got string
		if err := json.Unmarshal(quote(nil, s), &got); err != nil || got != strings.ToValidUTF8(s, "\uFFFD") && strings.Count(got, "\uFFFD") == 0 {
			t.Errorf("%q: %s, %v", s, quote(nil, s), err)
		}
	}
}

// An idle connection holds no buffer: neither 4 KiB for a head nor anything near it.
func TestIdleHoldsNoBuffer(t *testing.T) {
	o := rawOrigin(t, hello, false)
	e := before(t, o)
	const count = 300
	heap := func() uint64 {
		for range 3 { // the second run empties the pools of buffers
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	earlier := heap()
	var clients [count]net.Conn
	answer := make([]byte, 1000)
	for i := range clients {
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if i%2 == 0 {
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, err := c.Read(answer); err != nil {
				t.Fatal(err)
			}
		}
		clients[i] = c
	}
	eventually(t, "little memory for each", func() bool { return int64(heap()-earlier)/count < 3000 })
	runtime.KeepAlive(clients)
}

// In the steady state a request allocates nothing.
func BenchmarkProxiedRequest(b *testing.B) {
	benchmarkRequest(b, hello, Config{})
}

// Neither does a line of the access log.
func BenchmarkProxiedRequestLogged(b *testing.B) {
	benchmarkRequest(b, hello, Config{AccessLog: io.Discard})
}

func BenchmarkProxiedRequest64k(b *testing.B) {
	benchmarkRequest(b, "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n"+strings.Repeat("x", 65536), Config{})
}

func benchmarkRequest(b *testing.B, answer string, cfg Config) {
	benchmarkRequestTo(b, answer, cfg, nil)
}

func benchmarkRequestTo(b *testing.B, answer string, cfg Config, change func(*gateway.EffectiveUpstream, *gateway.EffectiveRoute)) {
	o := leanOrigin(b, answer)
	e := start(b, cfg, Listener{}, snap([]string{o.addr}, change))
	e.cfg.Observer = nil
	c := e.dial(b)
	request := []byte("GET /a HTTP/1.1\r\nHost: x\r\nUser-Agent: bench\r\n\r\n")
	got := make([]byte, len(answer)+1000)
	once := func() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		n, err := c.Read(got)
		if err != nil {
			b.Fatal(err)
		}
		head := bytes.Index(got[:n], []byte("\r\n\r\n"))
		if head < 0 {
			b.Fatal("the head came in pieces")
		}
		rest := head + 4 + len(answer) - strings.Index(answer, "\r\n\r\n") - 4 - n
		if _, err := io.ReadFull(c, got[:rest]); err != nil {
			b.Fatal(err)
		}
	}
	steady(b, once)
}

// steady measures what has been done a hundred times.
func steady(b *testing.B, once func()) {
	for range 100 {
		once()
	}
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
}

func TestLogTimes(t *testing.T) {
	l := &accessLog{}
	for _, ns := range []int64{0, 1, 999, 1000, 5e6, 1e9 - 1, 1e9, 61e9 + 20_300_000} {
		at := socket.Time(ns).UTC().Truncate(time.Millisecond)
		if got, want := string(l.appendTime(nil, ns)), at.Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("the time at %d ns is %s, want %s", ns, got, want)
		}
		if got, want := string(appendSeconds(nil, ns)), fmt.Sprintf("%.6f", float64(ns/1000)/1e6); got != want {
			t.Errorf("%d ns are %s s, want %s", ns, got, want)
		}
	}
}
