package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

// held is how many have a place, and how many wait.
func held(l *limiter) (active, pending int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active, l.pending
}

func stays() bool { return false }

// The queue is first come, first served, whatever the order in which places come free.
func TestLimiterOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limiter
		l.set(2, 10, int64(time.Minute))
		var mu sync.Mutex
		var order []int
		for i := range 8 {
			go func() {
				if _, err := l.enter(stays, 0); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				time.Sleep(time.Second)
				l.leave()
			}()
			synctest.Wait()
		}
		if active, pending := held(&l); active != 2 || pending != 6 {
			t.Errorf("%d active, %d pending", active, pending)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for i, got := range order {
			if i/2 != got/2 { // two at a time
				t.Fatalf("order %v", order)
			}
		}
		if len(order) != 8 || l.active != 0 || l.pending != 0 || l.first != nil || l.last != nil {
			t.Errorf("%v; %+v", order, &l)
		}
	})
}

func TestLimiterTurnsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limiter
		l.set(1, 2, int64(3*time.Second))
		errs := make([]error, 6)
		var gone atomic.Bool
		began := time.Now()
		took := make([]time.Duration, 6)
		enter := func(i int, left func() bool) {
			go func() {
				_, errs[i] = l.enter(left, 0)
				took[i] = time.Since(began)
			}()
			synctest.Wait()
		}
		enter(0, stays)
		enter(1, gone.Load)
		enter(2, stays)
		enter(3, stays)
		if !errors.Is(errs[3], errQueueFull) {
			t.Errorf("beyond the queue: %v", errs[3])
		}
		gone.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		if !errors.Is(errs[1], errClientGone) || took[1] > 2*queueLook {
			t.Errorf("who left: %v after %v", errs[1], took[1])
		}
		enter(4, stays) // takes the place in the queue
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !errors.Is(errs[2], errQueueLate) || took[2] != 3*time.Second || !errors.Is(errs[4], errQueueLate) || took[4] != 4*time.Second {
			t.Errorf("who waited: %v after %v, %v after %v", errs[2], took[2], errs[4], took[4])
		}
		l.leave()
		enter(5, stays)
		if errs[5] != nil || l.active != 1 || l.pending != 0 || l.full != 1 || l.late != 2 {
			t.Errorf("%v; %+v", errs[5], &l)
		}
	})
}

// A limit that is raised lets those who wait through at once; one that is lowered ends
// nothing; one that is taken away lets all through.
func TestLimiterChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limiter
		l.set(1, 10, int64(time.Minute))
		var through atomic.Int32
		for range 7 {
			go func() {
				if _, err := l.enter(stays, 0); err == nil {
					through.Add(1)
				}
			}()
		}
		synctest.Wait()
		for _, step := range []struct{ most, through int }{{3, 3}, {2, 3}, {5, 5}, {0, 7}} {
			l.set(step.most, 10, int64(time.Minute))
			synctest.Wait()
			if n := int(through.Load()); n != step.through {
				t.Errorf("limit %d: %d are through, want %d", step.most, n, step.through)
			}
		}
		l.set(6, 10, int64(time.Minute))
		go func() { _, _ = l.enter(stays, 0); through.Add(1) }()
		l.leave()
		synctest.Wait()
		if through.Load() != 7 {
			t.Error("one too many is through after the limit came back")
		}
		l.leave()
		synctest.Wait()
		if through.Load() != 8 {
			t.Error("nobody follows")
		}
	})
}

// limitTo puts a limit on the test upstream.
func limitTo(most, pending int, timeout time.Duration) func(*gateway.EffectiveUpstream, *gateway.EffectiveRoute) {
	return func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
		u.Limits = gateway.UpstreamLimits{MaxConnections: most, MaxPending: &pending, QueueTimeout: gateway.Duration(timeout)}
	}
}

// heldOrigin answers each request when it is told so, and notes how many it had at a time.
type heldOrigin struct {
	*origin
	let  chan struct{}
	now  atomic.Int32
	most atomic.Int32
}

func newHeldOrigin(t *testing.T) *heldOrigin {
	h := &heldOrigin{let: make(chan struct{})}
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	h.origin = startOrigin(t, func(_ *origin, c net.Conn) {
		in := make([]byte, 4096)
		for {
			if _, err := c.Read(in); err != nil {
				return
			}
			n := h.now.Add(1)
			for m := h.most.Load(); n > m && !h.most.CompareAndSwap(m, n); m = h.most.Load() {
			}
			select {
			case <-h.let:
			case <-ended:
			}
			h.now.Add(-1)
			if _, err := io.WriteString(c, hello); err != nil {
				return
			}
		}
	})
	return h
}

func TestUpstreamLimit(t *testing.T) {
	o := newHeldOrigin(t)
	var log syncBuffer
	e := start(t, Config{AccessLog: &log}, Listener{}, snap([]string{o.addr}, limitTo(2, 3, patience)))
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(e)
	var clients []*client
	for range 5 {
		c := e.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		clients = append(clients, c)
	}
	const active, pending = "sluice_upstream_active upstream=acme/api", "sluice_upstream_pending upstream=acme/api"
	eventually(t, "two are active and three wait", func() bool {
		m := gather(t, reg)
		return m[active] == 2 && m[pending] == 3
	})
	full := e.dial(t)
	for range 2 { // the connection goes on
		resp, body := full.get("/")
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, "reason: queue_full") || resp.Close {
			t.Fatalf("%d %v %q", resp.StatusCode, resp.Header, body)
		}
	}
	_ = clients[4].Close()
	eventually(t, "who left gives its place back", func() bool { return gather(t, reg)[pending] == 2 })
	for range 4 {
		o.let <- struct{}{}
	}
	for _, c := range clients[:4] {
		if resp, body := c.answer("GET"); resp.StatusCode != 200 || body != "hello" {
			t.Errorf("%d, %q", resp.StatusCode, body)
		}
	}
	if n := o.most.Load(); n != 2 {
		t.Errorf("the origin had %d requests at a time", n)
	}
	eventually(t, "nobody is left", func() bool {
		m := gather(t, reg)
		return m[active] == 0 && m[pending] == 0 && m["sluice_upstream_turned_away_total reason=full upstream=acme/api"] == 2
	})
	eventually(t, "the access log tells who waited", func() bool { return strings.Count(log.String(), `"queued":`) == 3 })
	if n := queueCount(t, reg); n != 2 {
		t.Errorf("%d waits are counted", n)
	}
}

// queueCount is the number of waits in the histogram.
func queueCount(t *testing.T, reg *prometheus.Registry) uint64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "sluice_upstream_queue_seconds" {
			return f.GetMetric()[0].GetHistogram().GetSampleCount()
		}
	}
	t.Fatal("no sluice_upstream_queue_seconds")
	return 0
}

func TestQueueTimeout(t *testing.T) {
	o := newHeldOrigin(t)
	e := start(t, Config{}, Listener{}, snap([]string{o.addr}, limitTo(1, 5, 150*time.Millisecond)))
	first := e.dial(t)
	first.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "the first is there", func() bool { return o.now.Load() == 1 })
	c := e.dial(t)
	for _, request := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"} {
		c.send(request)
		resp, body := c.answer("GET")
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, "reason: queue_timeout") || resp.Close {
			t.Fatalf("%d %v %q", resp.StatusCode, resp.Header, body)
		}
	}
	e.Apply(snap([]string{o.addr}, func(u *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		limitTo(1, 5, patience)(u, r)
		r.Timeout = gateway.Duration(100 * time.Millisecond) // waiting is of no use for longer
	}))
	if resp, body := c.get("/"); resp.StatusCode != 503 || !strings.Contains(body, "reason: queue_timeout") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	o.let <- struct{}{}
	if resp, _ := first.answer("GET"); resp.StatusCode != 200 {
		t.Errorf("the first got %d", resp.StatusCode)
	}
	if out := e.observed.failures(); len(out) > 0 {
		t.Errorf("the endpoint is blamed: %v", out)
	}
}

// A new snapshot with a higher limit, or none, wakes those who wait.
func TestLimitRaisedLive(t *testing.T) {
	o := newHeldOrigin(t)
	e := start(t, Config{}, Listener{}, snap([]string{o.addr}, limitTo(1, 100, patience)))
	var clients []*client
	for range 10 {
		c := e.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		clients = append(clients, c)
	}
	eventually(t, "one", func() bool { return o.now.Load() == 1 })
	e.Apply(snap([]string{o.addr}, limitTo(4, 100, patience)))
	eventually(t, "four", func() bool { return o.now.Load() == 4 })
	e.Apply(snap([]string{o.addr}, nil))
	eventually(t, "ten", func() bool { return o.now.Load() == 10 })
	for range 10 {
		o.let <- struct{}{}
	}
	for _, c := range clients {
		if resp, _ := c.answer("GET"); resp.StatusCode != 200 {
			t.Errorf("%d", resp.StatusCode)
		}
	}
}

// Whatever way an exchange ends, its place comes free.
func TestLimitIsGivenBack(t *testing.T) {
	o := startOrigin(t, func(o *origin, c net.Conn) {
		in := make([]byte, 65536)
		n, err := c.Read(in)
		if err != nil || strings.HasPrefix(string(in[:n]), "GET /close") {
			return
		}
		if strings.HasPrefix(string(in[:n]), "GET /cut") {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
	})
	e := start(t, Config{BodyTimeout: 200 * time.Millisecond}, Listener{}, snap([]string{o.addr, deadAddress(t)}, limitTo(1, 1, patience)))
	for i, request := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /close HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /cut HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nslow",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nslow",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
	} {
		c := e.dial(t)
		c.send(request)
		_, _ = io.Copy(io.Discard, io.LimitReader(c, 20)) // a reset is as good
		_ = c.Close()
		l := e.compiled.upstreams[testKey].limit
		eventually(t, fmt.Sprintf("request %d gives its place back", i), func() bool {
			active, pending := held(l)
			return active == 0 && pending == 0
		})
	}
}
