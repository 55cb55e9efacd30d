package proxy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// echoSum answers with the digest of the body it got, in the framing that the path names,
// followed by as much filling as ?n says.
func echoSum(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	if _, err := io.Copy(h, r.Body); err != nil {
		w.WriteHeader(599)
		return
	}
	var n int
	_, _ = fmt.Sscan(r.URL.Query().Get("n"), &n)
	body := hex.EncodeToString(h.Sum(nil)) + r.Trailer.Get("X-Sum") + strings.Repeat("x", n)
	switch r.URL.Path {
	case "/length":
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	case "/chunked":
		w.(http.Flusher).Flush()
	case "/trailers":
		w.Header().Set("Trailer", "X-After")
		w.(http.Flusher).Flush()
		defer w.Header().Set("X-After", "done")
	case "/close":
		c, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = buf.WriteString("HTTP/1.1 200 OK\r\n\r\n" + body)
		_ = buf.Flush()
		_ = c.Close()
		return
	}
	_, _ = io.WriteString(w, body)
}

// Every framing of a request meets every framing of an answer, small and large, from
// HTTP/1.1 and HTTP/1.0 clients, and nothing is lost or added.
func TestFramings(t *testing.T) {
	e := before(t, httpOrigin(t, echoSum))
	small, large := bytes.Repeat([]byte("s"), 100), bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	chunked := func(b []byte, size int, trailers string) string {
		var s strings.Builder
		for len(b) > 0 {
			n := min(size, len(b))
			fmt.Fprintf(&s, "%x\r\n%s\r\n", n, b[:n])
			b = b[n:]
		}
		return s.String() + "0\r\n" + trailers + "\r\n"
	}
	type request struct {
		name, head, body string
		sum              []byte
		old              bool
	}
	requests := []request{
		{"none", "GET %s HTTP/1.1\nHost: x\n\n", "", nil, false},
		{"none 1.0", "GET %s HTTP/1.0\nHost: x\n\n", "", nil, true},
		{"length 0", "POST %s HTTP/1.1\nHost: x\nContent-Length: 0\n\n", "", nil, false},
		{"small length", "POST %s HTTP/1.1\nHost: x\nContent-Length: 100\n\n", string(small), small, false},
		{"small length 1.0", "POST %s HTTP/1.0\nContent-Length: 100\n\n", string(small), small, true},
		{"large length", fmt.Sprintf("PUT %%s HTTP/1.1\nHost: x\nContent-Length: %d\n\n", len(large)), string(large), large, false},
		{"small chunks", "POST %s HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n", chunked(small, 7, ""), small, false},
		{"large chunks", "POST %s HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n", chunked(large, 100_000, ""), large, false},
		{"tiny chunks", "POST %s HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n", chunked(large[:30000], 3, ""), large[:30000], false},
		{"trailers", "POST %s HTTP/1.1\nHost: x\nTrailer: X-Sum\nTransfer-Encoding: chunked\n\n", chunked(small, 50, "X-Sum: abc\r\n"), small, false},
		{"late trailers", "POST %s HTTP/1.1\nHost: x\nTrailer: X-Sum\nTransfer-Encoding: chunked\n\n", chunked(large, 5000, "X-Sum: abc\r\n"), large, false},
	}
	for _, path := range []string{"/length", "/length?n=3000000", "/chunked", "/chunked?n=3000000", "/trailers?n=10", "/close", "/close?n=300000"} {
		for _, rq := range requests {
			t.Run(path+" "+rq.name, func(t *testing.T) {
				c := e.dial(t)
				again := !rq.old
				for range 2 {
					sent := make(chan error, 1)
					go func() {
						_, err := io.WriteString(c, crlf(fmt.Sprintf(rq.head, path))+rq.body)
						sent <- err
					}()
					resp, body := c.answer("POST")
					if err := <-sent; err != nil {
						t.Fatal(err)
					}
					sum := sha256.Sum256(rq.sum)
					want := hex.EncodeToString(sum[:])
					if strings.Contains(rq.name, "trailers") {
						want += "abc"
					}
					if resp.StatusCode != 200 || !strings.HasPrefix(body, want) || strings.Trim(body[len(want):], "x") != "" {
						t.Fatalf("status %d, %d bytes, %.200q", resp.StatusCode, len(body), body)
					}
					var n int
					_, _ = fmt.Sscanf(path[strings.Index(path, "?")+1:], "n=%d", &n)
					if len(body) != len(want)+n {
						t.Fatalf("%d bytes, want %d", len(body), len(want)+n)
					}
					if path == "/trailers?n=10" && !rq.old && resp.Trailer.Get("X-After") != "done" {
						t.Errorf("trailers %v", resp.Trailer)
					}
					if !again {
						if !c.closed() {
							t.Error("an HTTP/1.0 connection stays open")
						}
						return
					}
				}
			})
		}
	}
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("failures %v", fs)
	}
}

func TestNoBody(t *testing.T) {
	for name, c := range map[string]struct{ method, answer, wantLength string }{
		"HEAD":         {"HEAD", "HTTP/1.1 200 OK\nContent-Length: 1234\n\n", "1234"},
		"HEAD chunked": {"HEAD", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", ""},
		"204":          {"GET", "HTTP/1.1 204 No Content\n\n", ""},
		"204 length":   {"GET", "HTTP/1.1 204 No Content\nContent-Length: 0\n\n", ""},
		"304":          {"GET", "HTTP/1.1 304 Not Modified\nContent-Length: 77\nETag: \"a\"\n\n", "77"},
	} {
		t.Run(name, func(t *testing.T) {
			o := rawOrigin(t, crlf(c.answer), false)
			e := before(t, o)
			cl := e.dial(t)
			for range 3 { // all on one connection each side: nobody waits for a body
				cl.send(c.method + " / HTTP/1.1\r\nHost: x\r\n\r\n")
				resp, body := cl.answer(c.method)
				if body != "" || resp.Header.Get("Content-Length") != c.wantLength {
					t.Errorf("body %q, headers %v", body, resp.Header)
				}
			}
			if o.opened() != 1 {
				t.Errorf("%d connections to the origin", o.opened())
			}
		})
	}
}

func TestKeepAliveHTTP10(t *testing.T) {
	o := rawOrigin(t, hello, false)
	c := before(t, o).dial(t)
	for range 2 {
		c.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		resp, body := c.answer("GET")
		if body != "hello" || resp.Header.Get("Connection") != "keep-alive" {
			t.Errorf("%q, %v", body, resp.Header)
		}
	}
	if !strings.Contains(o.seen()[0], "\r\nHost: api\r\n") {
		t.Errorf("an HTTP/1.0 request without Host is sent as %q", o.seen()[0])
	}
}

func TestPipelining(t *testing.T) {
	o := startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		for {
			head, err := o.readHead(br)
			if err != nil {
				return
			}
			path := strings.Fields(head)[1]
			if strings.HasPrefix(head, "POST") {
				b := make([]byte, 3)
				if _, err := io.ReadFull(br, b); err != nil {
					return
				}
				path += string(b)
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
		}
	})
	c := before(t, o).dial(t)
	var all strings.Builder
	for i := range 50 {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
		fmt.Fprintf(&all, "POST /p%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", i)
	}
	c.send(all.String())
	for i := range 50 {
		if _, body := c.answer("GET"); body != fmt.Sprintf("/%d", i) {
			t.Fatalf("answer %d is %q", i, body)
		}
		if _, body := c.answer("POST"); body != fmt.Sprintf("/p%dabc", i) {
			t.Fatalf("answer %d is %q", i, body)
		}
	}
}

// A client that does not read holds back the origin: what is on its way is bounded.
func TestBackPressure(t *testing.T) {
	sent := make(chan int, 1)
	o := startOrigin(t, func(o *origin, c net.Conn) {
		if _, err := o.readHead(bufio.NewReader(c)); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		piece := "10000\r\n" + strings.Repeat("x", 0x10000) + "\r\n"
		total := 0
		for total < 256<<20 {
			n, err := io.WriteString(c, piece)
			total += n
			if err != nil {
				break
			}
		}
		sent <- total
	})
	e := before(t, o)
	c := e.dial(t)
	_ = c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := http.ReadResponse(c.br, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case n := <-sent:
		t.Fatalf("the origin got rid of %d bytes while the client read nothing", n)
	case <-timeAfter(500):
	}
	_ = c.Close()
	if n := <-sent; n > 64<<20 {
		t.Errorf("%d bytes were on their way", n)
	}
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("a client that leaves is no failure of the endpoint: %v", fs)
	}
}

func TestWeightsAndPriorities(t *testing.T) {
	a, b, c := rawOrigin(t, hello, false), rawOrigin(t, hello, false), rawOrigin(t, hello, false)
	e := start(t, Config{}, Listener{}, snap([]string{a.addr, b.addr, c.addr}, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
		u.Endpoints[0].Weight = 3
		u.Endpoints[2].Priority = 1
	}))
	cl := e.dial(t)
	for range 40 {
		cl.get("/")
	}
	if len(a.seen()) != 30 || len(b.seen()) != 10 || len(c.seen()) != 0 {
		t.Errorf("got %d, %d, %d", len(a.seen()), len(b.seen()), len(c.seen()))
	}
	e.Apply(snap([]string{a.addr, b.addr, c.addr}, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
		u.Endpoints[0].InRotation = false
		u.Endpoints[1].Weight = 0
		u.Endpoints[2].Priority = 1
	}))
	cl.get("/")
	if len(c.seen()) != 1 {
		t.Error("the next priority is not used")
	}
}

// A client that sends its last request and closes its side at one time gets the answer, and the
// end soon after it, on a connection that has been in use for a while.
func TestLastRequestWithFIN(t *testing.T) {
	e := before(t, rawOrigin(t, hello, false))
	for i := range 20 {
		c := e.dial(t)
		for range 1 + i%2 {
			c.get("/")
		}
		c.send("GET /last HTTP/1.1\r\nHost: x\r\n\r\n")
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		if r, _ := c.answer("GET"); r.StatusCode != 200 {
			t.Fatalf("after %d requests: status %d", 1+i%2, r.StatusCode)
		}
		if !c.closed() {
			t.Fatal("the connection is still open")
		}
	}
}
