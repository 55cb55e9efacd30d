package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// inPieces is an origin whose answers come in pieces: /framing/size/pieces.
func inPieces(t *testing.T) *origin {
	return answering(t, func(c net.Conn, head string) bool {
		var framing string
		var size, pieces int
		path := strings.ReplaceAll(strings.Fields(head)[1], "/", " ")
		if _, err := fmt.Sscan(path, &framing, &size, &pieces); err != nil {
			return false
		}
		body := pattern(size)
		var out bytes.Buffer
		out.WriteString("HTTP/1.1 200 OK\r\n")
		switch framing {
		case "length":
			fmt.Fprintf(&out, "Content-Length: %d\r\n\r\n", size)
			out.Write(body)
		case "close":
			out.WriteString("\r\n")
			out.Write(body)
		default:
			out.WriteString("Transfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n")
			for b := body; len(b) > 0; {
				n := min(len(b), 1+len(b)*2/3)
				fmt.Fprintf(&out, "%x\r\n%s\r\n", n, b[:n])
				b = b[n:]
			}
			out.WriteString("0\r\nX-End: yes\r\n\r\n")
		}
		for i := range pieces {
			from, to := out.Len()*i/pieces, out.Len()*(i+1)/pieces
			if _, err := c.Write(out.Bytes()[from:to]); err != nil {
				return false
			}
			time.Sleep(2 * time.Millisecond) // so that they come apart
		}
		return framing != "close"
	})
}

// pattern is n bytes, each of which says where it is.
func pattern(n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = strconv.AppendInt(append(b, ' '), int64(len(b)), 10)
	}
	return b[:n]
}

// Answers arrive whole however they are cut, on a connection that a loop serves, in the clear and
// over TLS.
func TestAnswersInPieces(t *testing.T) {
	o := inPieces(t)
	plain := before(t, o)
	secure := serveTLS(t, Config{}, TLS{}, o)
	secure.use(secure.cert(t, "shop", nil, "shop.test"))
	clients := map[string]func() *client{
		"plain": func() *client { return plain.dial(t) },
		"tls": func() *client {
			c := secure.must(t, "shop.test", nil)
			return &client{c, bufio.NewReader(c), t}
		},
	}
	for name, dial := range clients {
		t.Run(name, func(t *testing.T) {
			c := dial()
			for _, framing := range []string{"length", "chunked", "close"} {
				for _, size := range []int{0, 1, 3000, 16 << 10, 100_000, 1_000_000} {
					for _, pieces := range []int{1, 2, 7, 40} {
						path := fmt.Sprintf("/%s/%d/%d", framing, size, pieces)
						c.send("GET " + path + " HTTP/1.1\r\nHost: shop.test\r\n\r\n")
						resp, body := c.answer("GET")
						if resp.StatusCode != 200 || body != string(pattern(size)) {
							t.Fatalf("%s: %d, %d bytes", path, resp.StatusCode, len(body))
						}
						if framing == "chunked" && resp.Trailer.Get("X-End") != "yes" {
							t.Errorf("%s: trailers %v", path, resp.Trailer)
						}
					}
				}
			}
		})
	}
}

// Bodies arrive whole, whatever their size and however they are cut, on a connection that a loop
// serves, and so does the request behind one.
func TestBodiesInPieces(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Method", r.Method)
		b, _ := io.ReadAll(r.Body) // the reader tells
		_, _ = w.Write(b)
	})
	plain := before(t, o)
	secure := serveTLS(t, Config{}, TLS{}, o)
	secure.use(secure.cert(t, "shop", nil, "shop.test"))
	clients := map[string]net.Conn{"plain": plain.dial(t).Conn, "tls": secure.must(t, "shop.test", nil)}
	for name, nc := range clients {
		t.Run(name, func(t *testing.T) {
			c := &client{nc, bufio.NewReader(nc), t}
			for _, room := range []int{sizeHead, sizeSmall, sizeStream, sizeMax} {
				for around := -2; around <= 2; around++ {
					for _, pieces := range []int{1, 2, 7} {
						// The head is of 100 bytes, so that it is known where the buffer ends.
						text := fmt.Sprintf("POST /post HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %d\r\n", room+around-100)
						text += "X-Pad: " + strings.Repeat("p", 100-len(text)-len("X-Pad: \r\n\r\n")) + "\r\n\r\n"
						body := string(pattern(room))[:room+around-100]
						text += body + "GET /get HTTP/1.1\r\nHost: shop.test\r\n\r\n"
						for i := range pieces {
							c.send(text[len(text)*i/pieces : len(text)*(i+1)/pieces])
							if i < pieces-1 {
								time.Sleep(time.Millisecond) // so that they come apart
							}
						}
						for i, method := range []string{"POST", "GET"} {
							resp, got := c.answer(method)
							if resp.StatusCode != 200 || got != []string{body, ""}[i] || resp.Header.Get("X-Method") != method {
								t.Fatalf("%d%+d in %d pieces: %d to %q, %d bytes", room, around, pieces, resp.StatusCode, resp.Header.Get("X-Method"), len(got))
							}
						}
					}
				}
			}
		})
	}
}

// A body that has come needs no goroutine, and can be sent again.
func TestBodyThatIsThere(t *testing.T) {
	const size = 60000
	asked, free := make(chan struct{}), make(chan struct{})
	e := before(t, httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if n, _ := io.Copy(io.Discard, r.Body); n == size { // the client tells what is wrong
			asked <- struct{}{}
			<-free
		}
		_, _ = io.WriteString(w, "hello")
	}))
	c := e.dial(t)
	c.get("/")
	for round := 0; ; round++ {
		c.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, pattern(size)[:size]))
		<-asked
		b := make([]byte, 1<<20)
		waits := strings.Contains(string(b[:runtime.Stack(b, true)]), "proxy.(*conn)")
		free <- struct{}{}
		if _, body := c.answer("POST"); body != "hello" {
			t.Fatalf("%q", body)
		}
		if !waits {
			return
		}
		if round == 20 {
			t.Fatal("a goroutine waits for each answer")
		}
	}
}

// A client that takes nothing for a while gets everything all the same, and holds up nobody.
func TestClientWithoutRoom(t *testing.T) {
	o := inPieces(t)
	e := before(t, o)
	const size = 16 << 20
	for _, framing := range []string{"length", "chunked", "close"} {
		lazy, busy := e.dial(t), e.dial(t)
		lazy.get("/length/1/1") // from now on a loop serves it
		busy.get("/length/1/1")
		lazy.send(fmt.Sprintf("GET /%s/%d/5 HTTP/1.1\r\nHost: x\r\n\r\n", framing, size))
		time.Sleep(50 * time.Millisecond)
		for range 100 {
			if _, body := busy.get("/length/10/1"); len(body) != 10 {
				t.Fatalf("%q", body)
			}
		}
		if _, body := lazy.answer("GET"); body != string(pattern(size)) {
			t.Errorf("%s: %d bytes", framing, len(body))
		}
	}
}

// An idle connection needs no goroutine, and neither does one whose answer is awaited.
func TestNoGoroutines(t *testing.T) {
	const count = 100
	free := make(chan struct{})
	o := waitingOrigin(t, free)
	e := before(t, o)
	var clients [count]*client
	for i := range clients {
		clients[i] = e.dial(t)
		clients[i].get("/")
	}
	ours := func() int {
		b := make([]byte, 1<<20)
		return strings.Count(string(b[:runtime.Stack(b, true)]), "proxy.(*conn)")
	}
	for round, least := 0, count; least > 0; round++ {
		if round == 10 {
			t.Fatalf("%d goroutines for %d requests", least, count/2)
		}
		eventually(t, "no goroutine for idle connections", func() bool { return ours() == 0 })
		asked := len(o.seen())
		for _, c := range clients[:count/2] {
			c.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		eventually(t, "all wait", func() bool { return len(o.seen()) == asked+count/2 })
		least = ours() // in the first round there are no kept connections, and after a second it is looked whether the clients are there
		for range count / 2 {
			free <- struct{}{}
		}
		for _, c := range clients[:count/2] {
			if _, body := c.answer("GET"); body != "hello" {
				t.Errorf("got %q", body)
			}
		}
	}
}

// A client that leaves while its answer is awaited is noticed, and the endpoint is not blamed.
func TestClientLeavesALoop(t *testing.T) {
	left := make(chan struct{})
	o := answering(t, func(c net.Conn, head string) bool {
		if strings.Contains(head, "/silent") {
			_, _ = c.Read(make([]byte, 1)) // until the proxy closes
			close(left)
			return false
		}
		_, _ = io.WriteString(c, hello)
		return true
	})
	e := before(t, o)
	c := e.dial(t)
	c.get("/")
	c.send("GET /silent HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "asked", func() bool { return len(o.seen()) == 2 })
	_ = c.Close()
	select {
	case <-left:
	case <-time.After(patience):
		t.Fatal("the endpoint is still asked")
	}
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("the endpoint is blamed: %v", fs)
	}
}

// Shutdown lets requests end that a loop waits for, and closes idle connections at once.
func TestShutdownOfALoop(t *testing.T) {
	free := make(chan struct{})
	o := waitingOrigin(t, free)
	e := before(t, o)
	idle, waiting := e.dial(t), e.dial(t)
	idle.get("/")
	waiting.get("/")
	waiting.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "asked", func() bool { return len(o.seen()) == 3 })
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		done <- e.Shutdown(ctx)
	}()
	if !idle.closed() {
		t.Error("an idle connection stays open")
	}
	close(free)
	if resp, body := waiting.answer("GET"); body != "hello" || !resp.Close {
		t.Errorf("%q, close %v", body, resp.Close)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}
