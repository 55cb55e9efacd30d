package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

// A request that begins and ends costs no allocation, and one that is refused none either.
func TestConnectionLimitAllocates(t *testing.T) {
	l := newConnectionLimit(&gateway.ConnectionLimit{Max: 1, Key: gateway.LimitKey{By: "client"}, Status: 429}, &progress{})
	first, second := asking(t, "GET / HTTP/1.1\nHost: a\n\n", "192.0.2.1"), asking(t, "GET / HTTP/1.1\nHost: a\n\n", "192.0.2.1")
	for _, x := range []*exchange{first, second} {
		x.route = &route{conns: l, refused: &target{}}
	}
	if n := testing.AllocsPerRun(1000, func() {
		if first.withinLimits() != nil || second.withinLimits() == nil || second.retryIn != 1 {
			t.Fatal("the first is refused, or the second is not")
		}
		first.endProgress()
		first.endProgress() // what has ended ends once
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := l.progress.keys(); n != 0 || l.progress.refused.Load() != 1001 {
		t.Errorf("%d keys are left, %d refused", n, l.progress.refused.Load())
	}
}

// Many at a time never are more than the limit, and all of them end.
func TestProgressTogether(t *testing.T) {
	var p progress
	var wg sync.WaitGroup
	var now, over atomic.Int32
	for range 20 {
		wg.Go(func() {
			for range 2000 {
				if !p.begin(7, 3) {
					continue
				}
				if now.Add(1) > 3 {
					over.Add(1)
				}
				runtime.Gosched()
				now.Add(-1)
				p.end(7)
			}
		})
	}
	wg.Wait()
	if p.keys() != 0 || over.Load() > 0 {
		t.Errorf("%d keys are left, %d times over the limit", p.keys(), over.Load())
	}
}

// Requests in progress are counted over connections and codecs, until their answer has ended,
// and across changes of the configuration.
func TestConnectionLimit(t *testing.T) {
	answer := make(chan struct{})
	release := sync.OnceFunc(func() { close(answer) })
	t.Cleanup(release)
	o := startOrigin(t, func(o *origin, c net.Conn) {
		for br := bufio.NewReader(c); ; {
			if _, err := o.readHead(br); err != nil {
				return
			}
			<-answer
			if _, err := io.WriteString(c, hello); err != nil {
				return
			}
		}
	})
	limited := func(most int, timeout gateway.Duration) *gateway.Snapshot {
		return snap([]string{o.addr}, func(_ *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
			r.Timeout = timeout
			r.ConnectionLimit = &gateway.ConnectionLimit{Max: most, Key: gateway.LimitKey{By: "client"}, Status: 503}
		})
	}
	e := start(t, Config{}, Listener{}, limited(2, 0))
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(e)
	first, second := e.dial(t), e.dial(t)
	for i, c := range []*client{first, second} {
		c.send(crlf("GET /slow HTTP/1.1\nHost: x\n\n"))
		eventually(t, "a request at the origin", func() bool { return len(o.seen()) == i+1 })
	}
	h2 := priorKnowledge(t)
	refused := func(when string) {
		t.Helper()
		resp, err := h2.Get("http://" + e.addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		one, body := e.dial(t).get("/")
		if resp.StatusCode != 503 || one.StatusCode != 503 || one.Header.Get("Retry-After") != "1" || !strings.Contains(body, "connection_limit") {
			t.Errorf("%s: %s, %s %v %q", when, resp.Status, one.Status, one.Header, body)
		}
	}
	refused("while two are in progress")
	e.Apply(limited(2, 1e12))
	refused("after another change")
	figures := gather(t, reg)
	if n := figures["sluice_route_limited_total limit=connections route=all tenant=acme"]; n != 4 {
		t.Errorf("%v are counted as refused, want 4", n)
	}
	if n := figures["sluice_route_limit_keys limit=connections route=all tenant=acme"]; n != 1 {
		t.Errorf("%v clients have requests in progress, want 1", n)
	}
	e.Apply(limited(3, 0))
	done := make(chan int)
	go func() {
		resp, err := h2.Get("http://" + e.addr)
		if err != nil {
			done <- 0
			return
		}
		_ = resp.Body.Close()
		done <- resp.StatusCode
	}()
	eventually(t, "a third request with a higher limit", func() bool { return len(o.seen()) == 3 })
	release()
	for _, c := range []*client{first, second} {
		if resp, _ := c.answer("GET"); resp.StatusCode != http.StatusOK {
			t.Error(resp.Status)
		}
	}
	if status := <-done; status != http.StatusOK {
		t.Errorf("the third: %d", status)
	}
	eventually(t, "the end of all", func() bool {
		e.apply.Lock()
		defer e.apply.Unlock()
		for _, l := range e.compiled.limits {
			return l.progress.keys() == 0
		}
		return false
	})
}

// A client that leaves within its body gives its place back.
func TestConnectionLimitLeaves(t *testing.T) {
	o := startOrigin(t, func(o *origin, c net.Conn) {
		_, _ = o.readHead(bufio.NewReader(c))
		_, _ = io.Copy(io.Discard, c)
	})
	e := start(t, Config{}, Listener{}, snap([]string{o.addr}, func(_ *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		r.ConnectionLimit = &gateway.ConnectionLimit{Max: 1, Key: gateway.LimitKey{By: "route"}, Status: 429}
	}))
	for i := range 3 {
		c := e.dial(t)
		eventually(t, "a place", func() bool {
			e.apply.Lock()
			defer e.apply.Unlock()
			for _, l := range e.compiled.limits {
				return l.progress.keys() == 0
			}
			return false
		})
		c.send(crlf("POST / HTTP/1.1\nHost: x\nContent-Length: 100000\n\nabc"))
		eventually(t, "the request at the origin", func() bool { return len(o.seen()) == i+1 })
		_ = c.Close()
	}
}

// A client that asks for one thing after the other is never more than one, even where each request
// comes on a connection of its own: whoever has an answer is not in progress any more.
func TestConnectionLimitInTurn(t *testing.T) {
	for name, answer := range map[string]string{
		"small":   hello,
		"bare":    crlf("HTTP/1.1 204 No Content\n\n"),
		"chunked": crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n"),
		"large":   crlf("HTTP/1.1 200 OK\nContent-Length: 200000\n\n") + strings.Repeat("x", 200_000),
		"filter":  "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := startOrigin(t, func(o *origin, c net.Conn) {
				for br := bufio.NewReader(c); ; {
					if _, err := o.readHead(br); err != nil {
						return
					}
					if _, err := io.WriteString(c, answer); err != nil {
						return
					}
				}
			})
			e := start(t, Config{}, Listener{}, snap([]string{o.addr}, func(_ *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
				r.ConnectionLimit = &gateway.ConnectionLimit{Max: 1, Key: gateway.LimitKey{By: "route"}, Status: 429}
				if answer == "" {
					r.Respond = &gateway.Respond{Status: 200, Body: "ok"}
				}
			}))
			h1, h2 := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, priorKnowledge(t)
			refused := 0
			for i := range 1500 {
				client := h1
				if i%5 == 4 {
					client = h2
				}
				resp, err := client.Get("http://" + e.addr)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if resp.StatusCode == 429 {
					refused++
				}
			}
			if refused > 0 {
				t.Errorf("%d of 1500 were refused", refused)
			}
		})
	}
}
