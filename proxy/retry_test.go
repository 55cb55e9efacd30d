package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

var allReasons = []string{gateway.RetryConnect, gateway.RetryReset, gateway.RetryTimeout, gateway.RetryGateway}

// retryOn sets the reasons, and a short time for answers.
func retryOn(on ...string) func(*gateway.EffectiveUpstream, *gateway.EffectiveRoute) {
	return func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
		u.Retry.On = on
		u.Timeouts.Response = gateway.Duration(300 * time.Millisecond)
	}
}

// faulty answers each request as told, and then closes the connection, or hangs on "hang".
func faulty(t *testing.T, answer string) *origin {
	return startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		for {
			head, err := o.readHead(br)
			if err != nil {
				return
			}
			var n int64
			if _, rest, ok := strings.Cut(head, "Content-Length: "); ok {
				_, _ = fmt.Sscan(rest, &n)
			}
			if _, err := io.CopyN(io.Discard, br, n); err != nil {
				return
			}
			if answer == "hang" {
				_, _ = io.Copy(io.Discard, c)
				return
			}
			_, _ = io.WriteString(c, answer)
			if !strings.Contains(answer, "Content-Length") || strings.Contains(answer, "close") {
				return
			}
		}
	})
}

var originFaults = []struct {
	name, answer string
	on           string // the reason that covers it
	status       int    // without a retry
	failure      gateway.Failure
}{
	{"502", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad", "502", 502, ""},
	{"503, closed", "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbad", "503", 503, ""},
	{"504, large", "HTTP/1.1 504 Late\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("x", 300000), "504", 504, ""},
	{"reset", "", "reset", 502, gateway.FailureReset},
	{"cut", "HTTP/1.1 200 OK\r\nConte", "reset", 502, gateway.FailureReset},
	{"hang", "hang", "timeout", 504, gateway.FailureTimeout},
}

func TestRetryReasons(t *testing.T) {
	for _, f := range originFaults {
		t.Run(f.name, func(t *testing.T) {
			bad, good := faulty(t, f.answer), rawOrigin(t, hello, false)
			e := start(t, Config{}, Listener{}, snap([]string{bad.addr, good.addr}, retryOn(f.on)))
			c := e.dial(t)
			for range 4 {
				if resp, body := c.get("/"); resp.StatusCode != 200 || body != "hello" {
					t.Errorf("%d, %q", resp.StatusCode, body)
				}
			}
			tried := 0
			for _, o := range e.observed.get() {
				if o.Address == bad.addr {
					tried++
					if o.Failure != f.failure || f.failure == "" && o.Status != f.status {
						t.Errorf("outcome %+v", o)
					}
				}
			}
			if tried < 2 || tried != len(bad.seen()) {
				t.Errorf("the bad one was tried %d times and saw %d requests", tried, len(bad.seen()))
			}
			for k, ep := range e.compiled.endpoints {
				eventually(t, "nothing is in flight to "+k.Address, func() bool { return ep.inFlight.Load() == 0 })
			}
		})
		t.Run(f.name+", not asked for", func(t *testing.T) {
			bad, good := faulty(t, f.answer), rawOrigin(t, hello, false)
			e := start(t, Config{}, Listener{}, snap([]string{bad.addr, good.addr}, retryOn(gateway.RetryConnect)))
			got := map[int]int{}
			c := e.dial(t)
			for range 4 {
				resp, _ := c.get("/")
				got[resp.StatusCode]++
			}
			if got[200] != 2 || got[f.status] != 2 {
				t.Errorf("%v", got)
			}
		})
	}
}

// No request that is not idempotent reaches origins twice, whatever they do, unless it could
// not be sent at all.
func TestPostIsSentOnce(t *testing.T) {
	var mu sync.Mutex
	times := map[string]int{}
	counting := func(answer func(n int) string) *origin {
		n := 0
		return startOrigin(t, func(o *origin, c net.Conn) {
			br := bufio.NewReader(c)
			for {
				req, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				mu.Lock()
				times[req.URL.Path]++
				n++
				text := answer(n)
				mu.Unlock()
				_, _ = io.Copy(io.Discard, req.Body)
				if text == "hang" {
					_, _ = io.Copy(io.Discard, c)
					return
				}
				_, _ = io.WriteString(c, text)
				if text != hello {
					return
				}
			}
		})
	}
	var addrs []string
	for i := range originFaults {
		addrs = append(addrs, counting(func(n int) string {
			if n%2 == 0 { // kept connections fail, too
				return originFaults[i].answer
			}
			return hello
		}).addr)
	}
	addrs = append(addrs, deadAddress(t), counting(func(int) string { return hello }).addr)
	e := start(t, Config{}, Listener{}, snap(addrs, func(u *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		retryOn(allReasons...)(u, r)
		u.Retry.Attempts = 5
	}))
	var wg sync.WaitGroup
	ok := 0
	for w := range 4 {
		c := e.dial(t)
		wg.Go(func() {
			for i := range 25 {
				method := []string{"POST", "PATCH"}[i%2]
				body := []string{"Content-Length: 3\r\n\r\nabc", "Content-Length: 0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
					"Content-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000)}[i%4]
				if _, err := fmt.Fprintf(c, "%s /%d/%d HTTP/1.1\r\nHost: x\r\n%s", method, w, i, body); err != nil {
					t.Error(err)
					return
				}
				resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				mu.Lock()
				if resp.StatusCode == 200 {
					ok++
				}
				mu.Unlock()
				if resp.Close { // after an upload that broke off
					c = e.dial(t)
				}
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	for path, n := range times {
		if n > 1 {
			t.Errorf("%s was sent %d times", path, n)
		}
	}
	if len(times) < 90 || ok < 30 || ok > 90 {
		t.Errorf("%d of 100 requests arrived, %d were answered 200: the test shows nothing", len(times), ok)
	}
}

// What is sent again is the whole request; and it is not when the client has got something,
// or a body is gone.
func TestRetriedRequests(t *testing.T) {
	bodies := make(chan string, 10)
	good := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- string(b)
		_, _ = io.WriteString(w, "hello")
	})
	bad := faulty(t, originFaults[0].answer)
	e := start(t, Config{}, Listener{}, snap([]string{bad.addr, good.addr}, retryOn("gateway-error")))
	e2 := start(t, Config{}, Listener{}, snap([]string{faulty(t, "HTTP/1.1 103 Early Hints\r\n\r\n"+originFaults[0].answer).addr, good.addr}, retryOn("gateway-error")))
	large := strings.Repeat("x", 20000)
	for name, c := range map[string]struct {
		e       *edge
		request string
		status  int
		body    string
	}{
		"PUT with a length": {e, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"},
		"DELETE in chunks":  {e, "DELETE / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, "abc"},
		"PUT too large":     {e, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + large, 502, large},
		"after an interim":  {e2, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 502, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, want := range []int{c.status, 200} { // the bad one's turn, and the good one's
				cl := c.e.dial(t)
				cl.send(c.request)
				resp, err := http.ReadResponse(cl.br, nil)
				for err == nil && resp.StatusCode == 103 {
					resp, err = http.ReadResponse(cl.br, nil)
				}
				if err != nil || resp.StatusCode != want {
					t.Errorf("%v, %v; want %d", resp, err, want)
				}
				if want == 200 {
					if b := <-bodies; b != c.body {
						t.Errorf("the body arrived as %.30q", b)
					}
				}
			}
		})
	}
}

func TestRetryBudget(t *testing.T) {
	take := func(b *retryBudget, n int) (made int) {
		for range n {
			if b.take(20, because502) {
				made++
			}
		}
		return made
	}
	var b retryBudget
	if n := take(&b, 100); n != 30 {
		t.Errorf("a new upstream gets %d retries, want 30", n)
	}
	total := uint64(100 + 30) // requests and retries
	b.tick(total)
	if n := take(&b, 100); n != 20 {
		t.Errorf("after 100 requests %d more, want 20", n)
	}
	total += 20
	for range budgetWindow {
		total += 1000
		b.tick(total)
	}
	if n := take(&b, 10000); n < 1800 || n > 2100 {
		t.Errorf("at 1000 requests a second %d retries in ten seconds, want about 2000", n)
	}
	for range 2 * budgetWindow {
		b.tick(total)
	}
	if n := take(&b, 100); n != 30 || b.refused == 0 {
		t.Errorf("after a quiet time %d, want 30; %d refused", n, b.refused)
	}
}

// When everything fails, retries add no more than their share, and clients see the errors.
func TestRetryBudgetExhausted(t *testing.T) {
	a, b := faulty(t, originFaults[0].answer), faulty(t, originFaults[0].answer)
	none := 0
	e := start(t, Config{}, Listener{}, snap([]string{a.addr, b.addr}, func(u *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		retryOn(allReasons...)(u, r)
		u.Retry.BudgetPercent = &none
	}))
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(e)
	c := e.dial(t)
	for range 100 {
		if resp, body := c.get("/"); resp.StatusCode != 502 || body != "bad" {
			t.Fatalf("%d, %q", resp.StatusCode, body)
		}
	}
	m := gather(t, reg)
	retries, refused := m["sluice_upstream_retries_total reason=502 upstream=acme/api"], m["sluice_upstream_retry_budget_exhausted_total upstream=acme/api"]
	if retries < 30 || retries+refused != 100 || refused == 0 || len(a.seen())+len(b.seen()) != 100+int(retries) {
		t.Errorf("%v retries, %v refused, the origins saw %d and %d", retries, refused, len(a.seen()), len(b.seen()))
	}
}

// What endpoints that are gone were asked still counts as requests.
func TestBudgetSurvivesEndpoints(t *testing.T) {
	a, b := rawOrigin(t, hello, false), rawOrigin(t, hello, false)
	e := before(t, a)
	c := e.dial(t)
	for range 50 {
		c.get("/")
	}
	up := e.compiled.upstreams[testKey]
	eventually(t, "fifty exchanges", func() bool { return up.exchanges() == 50 }) // they count a moment after the answer
	e.Apply(snap([]string{b.addr}, nil))
	for range 10 {
		c.get("/")
	}
	eventually(t, "sixty exchanges", func() bool { return up.exchanges() == 60 })
}

// An endpoint that does not take connections is tried again now and then by one request. That
// request has all of its tries left: another endpoint that dies at that moment costs no answer.
func TestProbeKeepsTheTries(t *testing.T) {
	for turn := range 6 { // whoever comes next in turn
		gone, dies, stays := rawOrigin(t, hello, false), rawOrigin(t, hello, false), rawOrigin(t, hello, false)
		e := before(t, gone, dies, stays)
		c := e.dial(t)
		gone.stop()
		for range 3 + turn {
			if resp, _ := c.get("/"); resp.StatusCode != 200 {
				t.Fatalf("%d while one of three is away", resp.StatusCode)
			}
		}
		up := e.compiled.upstreams[testKey].live.Load()
		dies.stop()
		for _, ep := range up.all {
			if ep.key.Address == gone.addr {
				ep.skipUntil.Store(1) // long ago: the next request tries it
			}
		}
		for range 3 {
			if resp, body := c.get("/"); resp.StatusCode != 200 {
				t.Fatalf("%d %s when a second one dies", resp.StatusCode, body)
			}
		}
		for _, ep := range up.all {
			if ep.key.Address != stays.addr && ep.skipUntil.Load() == 0 {
				t.Errorf("%s is not known to be away", ep.key.Address)
			}
		}
	}
}
