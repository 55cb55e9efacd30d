package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// deadAddress is an address where nobody listens.
func deadAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

func TestInterimAnswers(t *testing.T) {
	o := rawOrigin(t, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"+hello, false)
	e := before(t, o)
	c := e.dial(t)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil || resp.StatusCode != 103 || resp.Header.Get("Link") != "</a.css>" {
		t.Fatalf("%+v, %v; want the 103 and not the 100", resp, err)
	}
	if _, body := c.answer("GET"); body != "hello" {
		t.Errorf("%q", body)
	}
	old := e.dial(t)
	old.send("GET / HTTP/1.0\r\nHost: x\r\n\r\n")
	if resp, body := old.answer("GET"); resp.StatusCode != 200 || body != "hello" {
		t.Errorf("an HTTP/1.0 client got %d", resp.StatusCode)
	}
}

func TestExpectContinue(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "" {
			t.Error("Expect is passed on")
		}
		b, _ := io.ReadAll(r.Body) // net/http sends its own 100 when asked
		_, _ = w.Write(b)
	})
	e := before(t, o)
	for name, c := range map[string][2]string{
		"length":  {"Content-Length: 5\r\n", "hello"},
		"chunked": {"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			cl := e.dial(t)
			for range 2 {
				cl.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n" + c[0] + "\r\n")
				line, err := cl.br.ReadString('\n')
				if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
					t.Fatalf("%q, %v", line, err)
				}
				_, _ = cl.br.ReadString('\n')
				cl.send(c[1])
				if resp, body := cl.answer("POST"); resp.StatusCode != 200 || body != "hello" {
					t.Errorf("%d, %q", resp.StatusCode, body)
				}
			}
		})
	}
	t.Run("refused before the body", func(t *testing.T) {
		cl := e.dial(t)
		cl.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n")
		if resp, _ := cl.answer("POST"); resp.StatusCode != 413 {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

// An origin that expects 100-continue handling from us may send 100 by itself; a client that
// did not ask must not get it.
func TestUnasked100IsDropped(t *testing.T) {
	o := rawOrigin(t, "HTTP/1.1 100 Continue\r\n\r\n"+hello, false)
	c := before(t, o).dial(t)
	if resp, body := c.get("/"); resp.StatusCode != 200 || body != "hello" {
		t.Errorf("%d, %q", resp.StatusCode, body)
	}
}

func TestEndpointFaults(t *testing.T) {
	for name, c := range map[string]struct {
		answer  string // then the connection is closed
		status  int
		cut     bool // the client's body ends early
		failure gateway.Failure
	}{
		"before the answer":  {"", 502, false, gateway.FailureReset},
		"within the head":    {"HTTP/1.1 200 OK\r\nConte", 502, false, gateway.FailureReset},
		"after an interim":   {"HTTP/1.1 103 Early Hints\r\n\r\n", 502, false, gateway.FailureReset},
		"within a length":    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", 200, true, gateway.FailureReset},
		"within a big body":  {"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 500000), 200, true, gateway.FailureReset},
		"within chunks":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 200, true, gateway.FailureReset},
		"broken chunks":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n", 200, true, gateway.FailureMalformed},
		"broken trailers":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n", 200, true, gateway.FailureMalformed},
		"chunk size too big": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 200, true, gateway.FailureMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			e := before(t, rawOrigin(t, c.answer, true))
			cl := e.dial(t)
			cl.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(cl.br, nil)
			for err == nil && resp.StatusCode == 103 {
				resp, err = http.ReadResponse(cl.br, nil)
			}
			if err != nil && c.cut && isReset(err) {
				resp, err = &http.Response{StatusCode: 200, Body: io.NopCloser(errReader{err})}, nil
			}
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status {
				t.Fatalf("status %d", resp.StatusCode)
			}
			if _, err := io.ReadAll(resp.Body); (err != nil) != c.cut {
				t.Errorf("reading the body: %v", err)
			}
			eventually(t, "one failure", func() bool {
				fs := e.observed.failures()
				return len(fs) == 1 && fs[0] == c.failure
			})
		})
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestConnectFailover(t *testing.T) {
	o := rawOrigin(t, hello, false)
	dead := deadAddress(t)
	e := start(t, Config{}, Listener{}, snap([]string{dead, o.addr}, nil))
	c := e.dial(t)
	for range 20 {
		if resp, body := c.get("/"); resp.StatusCode != 200 || body != "hello" {
			t.Fatalf("%d, %q", resp.StatusCode, body)
		}
	}
	// The dead one is left out after its first failure, for a second at a time.
	fs := e.observed.failures()
	if len(fs) == 0 || len(fs) > 15 || fs[0] != gateway.FailureConnect {
		t.Errorf("failures %v", fs)
	}
	// POST, too: nothing was sent yet.
	c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	if resp, _ := c.answer("POST"); resp.StatusCode != 200 {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

func TestAttempts(t *testing.T) {
	o := rawOrigin(t, hello, false)
	addrs := []string{deadAddress(t), deadAddress(t), o.addr}
	get := func(attempts int) int {
		e := start(t, Config{}, Listener{}, snap(addrs, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) { u.Retry.Attempts = attempts }))
		resp, _ := e.dial(t).get("/")
		if fs := e.observed.failures(); len(fs) > attempts {
			t.Errorf("%d attempts, failures %v", attempts, fs)
		}
		return resp.StatusCode
	}
	if s := get(1); s != 502 {
		t.Errorf("one attempt: %d", s)
	}
	if s := get(2); s != 502 {
		t.Errorf("two attempts: %d", s)
	}
	if s := get(3); s != 200 {
		t.Errorf("three attempts: %d", s)
	}
}

func TestNoEndpoint(t *testing.T) {
	e := start(t, Config{}, Listener{}, snap(nil, nil))
	c := e.dial(t)
	for range 2 { // the connection stays
		if resp, _ := c.get("/"); resp.StatusCode != 503 {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	if resp, _ := start(t, Config{}, Listener{}, nil).dial(t).get("/"); resp.StatusCode != 503 {
		t.Errorf("before the first snapshot: %d", resp.StatusCode)
	}
}

// staleOrigin answers one request on each connection and closes it when told.
func staleOrigin(t *testing.T, now *atomic.Bool) *origin {
	return startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		for served := 0; ; served++ {
			head, err := o.readHead(br)
			if err != nil || served > 0 && now.Load() {
				return // reads the request and closes: the peer sees the end before any answer
			}
			var n int
			if i := strings.Index(head, "Content-Length: "); i >= 0 {
				_, _ = fmt.Sscanf(head[i:], "Content-Length: %d", &n)
			}
			if _, err := io.CopyN(io.Discard, br, int64(n)); err != nil {
				return
			}
			_, _ = io.WriteString(c, hello)
		}
	})
}

func TestStaleConnection(t *testing.T) {
	var closing atomic.Bool
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"GET":            {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		"PUT, small":     {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 200},
		"DELETE, chunks": {"DELETE / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200},
		"POST":           {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 502},
		"PATCH":          {"PATCH / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 502},
	} {
		t.Run(name, func(t *testing.T) {
			closing.Store(false)
			o := staleOrigin(t, &closing)
			e := before(t, o)
			cl := e.dial(t)
			cl.get("/")
			closing.Store(true)
			cl.send(c.request)
			resp, _ := cl.answer("GET")
			if resp.StatusCode != c.status {
				t.Errorf("status %d, want %d", resp.StatusCode, c.status)
			}
			if fs := e.observed.failures(); (c.status == 200) != (len(fs) == 0) {
				t.Errorf("failures %v", fs)
			}
			if n := strings.Count(strings.Join(o.seen(), ""), strings.Fields(c.request)[0]+" /"); c.status != 200 && n > 1 {
				t.Errorf("the origin saw it %d times", n)
			}
		})
	}
}

// An endpoint that dies takes its kept connections with it; clients do not notice.
func TestEndpointKilled(t *testing.T) {
	a, b := rawOrigin(t, hello, false), rawOrigin(t, hello, false)
	e := before(t, a, b)
	var clients []*client
	for range 10 {
		c := e.dial(t)
		c.get("/")
		c.get("/")
		clients = append(clients, c)
	}
	a.stop()
	for range 5 {
		for _, c := range clients {
			if resp, body := c.get("/"); resp.StatusCode != 200 || body != "hello" {
				t.Fatalf("%d, %q", resp.StatusCode, body)
			}
		}
	}
	for _, f := range e.observed.failures() {
		if f != gateway.FailureConnect {
			t.Errorf("failure %s", f)
		}
	}
}

// A connection that the origin closed while it was idle is noticed before it is used, so
// even a POST is safe.
func TestDeadIdleConnection(t *testing.T) {
	o := rawOrigin(t, hello, true)
	e := before(t, o)
	c := e.dial(t)
	for range 10 {
		time.Sleep(5 * time.Millisecond)
		c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		if resp, _ := c.answer("POST"); resp.StatusCode != 200 {
			t.Fatalf("status %d", resp.StatusCode)
		}
	}
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("failures %v", fs)
	}
}

// Bytes behind an answer are never read as the next one.
func TestBytesBehindAnswer(t *testing.T) {
	for _, late := range []bool{false, true} {
		o := startOrigin(t, func(o *origin, c net.Conn) {
			if _, err := o.readHead(bufio.NewReader(c)); err != nil {
				return
			}
			_, _ = io.WriteString(c, hello)
			if late {
				time.Sleep(5 * time.Millisecond)
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
			_, _ = io.Copy(io.Discard, c)
		})
		c := before(t, o).dial(t)
		for range 3 {
			if _, body := c.get("/"); body != "hello" {
				t.Errorf("late %v: %q", late, body)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

func TestAbortedUpload(t *testing.T) {
	ended := make(chan error, 10)
	o := httpOrigin(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		ended <- err
	})
	e := before(t, o)
	for _, text := range []string{
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	} {
		c := e.dial(t)
		c.send(text)
		eventually(t, "the upload begins", func() bool { return len(o.seen()) > 0 })
		time.Sleep(10 * time.Millisecond)
		_ = c.Close()
		select {
		case err := <-ended:
			if err == nil {
				t.Error("the origin took a part for the whole")
			}
		case <-time.After(patience):
			t.Fatal("the origin is still waiting")
		}
	}
	// A body that is small enough is taken first: the origin sees nothing of it.
	c := e.dial(t)
	c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
	_ = c.Close()
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("failures %v", fs)
	}
}

// A broken or too large body that is noticed on the way is the client's fault.
func TestBrokenUpload(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	e := start(t, Config{BodyTimeout: 300 * time.Millisecond}, Listener{}, snap([]string{o.addr},
		func(_ *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) { r.MaxBodySize = 100_000 }))
	first := strings.Repeat("4000\r\n"+strings.Repeat("x", 0x4000)+"\r\n", 2)
	for name, c := range map[string]struct {
		rest   string
		status int
	}{
		"malformed": {"zzz\r\n", 400},
		"too large": {strings.Repeat(first, 10), 413},
		"too slow":  {"4000\r\nabc", 408},
	} {
		t.Run(name, func(t *testing.T) {
			cl := e.dial(t)
			cl.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + first)
			time.Sleep(20 * time.Millisecond)
			_, _ = io.WriteString(cl, c.rest)
			resp, err := http.ReadResponse(cl.br, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status {
				t.Errorf("status %d: %s", resp.StatusCode, body)
			}
			if !cl.closed() {
				t.Error("the connection goes on")
			}
		})
	}
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("failures %v", fs)
	}
}

// An origin may answer before it has the whole body; the client gets that answer.
func TestEarlyAnswer(t *testing.T) {
	for _, closes := range []bool{false, true} {
		o := startOrigin(t, func(o *origin, c net.Conn) {
			if _, err := o.readHead(bufio.NewReader(c)); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
			if !closes {
				_, _ = io.Copy(io.Discard, c)
			}
		})
		e := before(t, o)
		c := e.dial(t)
		go func() {
			_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n")
			for range 20 {
				if _, err := c.Write(make([]byte, 50_000)); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		resp, body := c.answer("PUT")
		if resp.StatusCode != 403 || body != "no" || !resp.Close {
			t.Errorf("origin closes %v: %d, %q, close %v", closes, resp.StatusCode, body, resp.Close)
		}
	}
}

// Both directions may stream at the same time.
func TestTwoWayStream(t *testing.T) {
	o := startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		if _, err := o.readHead(br); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for {
			var n int
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = fmt.Sscanf(line, "%x", &n)
			b := make([]byte, n+2)
			if _, err := io.ReadFull(br, b); err != nil {
				return
			}
			_, _ = fmt.Fprintf(c, "%x\r\n%s", n, b)
			if n == 0 {
				return
			}
		}
	})
	c := before(t, o).dial(t)
	c.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		text := fmt.Sprintf("round %02d", i)
		c.send(fmt.Sprintf("%x\r\n%s\r\n", len(text), text))
		got := make([]byte, len(text))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	c.send("0\r\n\r\n")
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestTimeouts(t *testing.T) {
	hang := startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		head, err := o.readHead(br)
		if err == nil && strings.Contains(head, "/half") {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
		}
		_, _ = io.Copy(io.Discard, c)
	})
	t.Run("response", func(t *testing.T) {
		e := start(t, Config{}, Listener{}, snap([]string{hang.addr}, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
			u.Timeouts.Response = gateway.Duration(200 * time.Millisecond)
		}))
		if resp, _ := e.dial(t).get("/"); resp.StatusCode != 504 {
			t.Errorf("status %d", resp.StatusCode)
		}
		c := e.dial(t)
		c.send("GET /half HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := c.all(); strings.Count(got, "hello") > 1 {
			t.Errorf("%q", got)
		}
		eventually(t, "two timeouts", func() bool {
			fs := e.observed.failures()
			return len(fs) == 2 && fs[0] == gateway.FailureTimeout && fs[1] == gateway.FailureTimeout
		})
	})
	t.Run("route", func(t *testing.T) {
		e := start(t, Config{}, Listener{}, snap([]string{hang.addr}, func(_ *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
			r.Timeout = gateway.Duration(200 * time.Millisecond)
		}))
		c := e.dial(t)
		for range 2 { // the request was complete, so the connection goes on
			if resp, _ := c.get("/"); resp.StatusCode != 504 {
				t.Errorf("status %d", resp.StatusCode)
			}
		}
	})
	t.Run("head", func(t *testing.T) {
		e := start(t, Config{HeaderTimeout: 200 * time.Millisecond}, Listener{}, snap([]string{hang.addr}, nil))
		c := e.dial(t)
		c.send("GET / HTTP/1.1\r\nHo")
		if resp, _ := c.answer("GET"); resp.StatusCode != 408 {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
	t.Run("idle", func(t *testing.T) {
		o := rawOrigin(t, hello, false)
		e := start(t, Config{IdleTimeout: 200 * time.Millisecond}, Listener{}, snap([]string{o.addr}, nil))
		c := e.dial(t)
		c.get("/")
		if !c.closed() {
			t.Error("an idle connection is not closed")
		}
	})
}

// A client that leaves while the endpoint thinks frees the endpoint's connection.
func TestClientLeaves(t *testing.T) {
	left := make(chan struct{})
	o := startOrigin(t, func(o *origin, c net.Conn) {
		if _, err := o.readHead(bufio.NewReader(c)); err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, c)
		close(left)
	})
	e := before(t, o)
	c := e.dial(t)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "the request arrives", func() bool { return len(o.seen()) == 1 })
	_ = c.Close()
	select {
	case <-left:
	case <-time.After(patience):
		t.Fatal("the endpoint is still at it")
	}
	if out := e.observed.get(); len(out) > 0 {
		t.Errorf("outcomes %v", out)
	}
}

func TestOutcomes(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(map[string]int{"/ok": 200, "/bad": 503}[r.URL.Path])
	})
	e := before(t, o)
	c := e.dial(t)
	earlier := time.Now()
	c.get("/ok")
	c.get("/bad")
	eventually(t, "two outcomes", func() bool { return len(e.observed.get()) == 2 })
	out := e.observed.get()
	if out[0].Status != 200 || out[1].Status != 503 || out[0].Failure != "" ||
		out[0].Upstream != testKey || out[0].Address != o.addr || out[0].Latency <= 0 {
		t.Fatalf("outcomes %+v", out)
	}
	if at := out[0].At; at.Before(earlier.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
		t.Errorf("at %v", at)
	}
}
