package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A body that dribbles in is refused for its average speed, though no silence in it is long;
// one that is fast enough is not.
func TestSlowBody(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello")
	})
	cfg := Config{MinBodyRate: 100_000, RateGrace: 200 * time.Millisecond}
	e := start(t, cfg, Listener{}, withRespond([]string{o.addr}, nil))
	for name, head := range map[string]string{
		"small, gathered": "Content-Length: 10000\r\n\r\n",
		"large, streamed": "Content-Length: 1000000\r\n\r\n",
		"chunks":          "Transfer-Encoding: chunked\r\n\r\nfffff\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := e.dial(t)
			c.send("POST / HTTP/1.1\r\nHost: x\r\n" + head)
			stop, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				for {
					select {
					case <-stop:
						return
					case <-time.After(5 * time.Millisecond):
						if _, err := io.WriteString(c, "x"); err != nil {
							return
						}
					}
				}
			}()
			resp, err := http.ReadResponse(c.br, nil)
			if err != nil || resp.StatusCode != 408 || !resp.Close {
				t.Errorf("%+v, %v", resp, err)
			} else if body, _ := io.ReadAll(resp.Body); !strings.Contains(string(body), "reason: slow_body") {
				t.Errorf("%q", body)
			}
			close(stop)
			<-ended
		})
	}
	c := e.dial(t)
	for range 3 { // a pause between requests is nobody's slowness
		c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + strings.Repeat("x", 50000))
		if resp, _ := c.answer("POST"); resp.StatusCode != 200 {
			t.Errorf("a fast one got %d", resp.StatusCode)
		}
		time.Sleep(300 * time.Millisecond)
	}
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("the endpoint is blamed: %v", fs)
	}
}

// An endpoint that takes the body slowly is not the client's fault.
func TestSlowEndpointIsNotASlowClient(t *testing.T) {
	// Pauses are short, and buffers those of the kernel: after a pause the sender may take as long again to
	// notice that there is room, and with buffers of less than a segment (64 KiB over loopback) 20 MB take a minute.
	o := startOrigin(t, func(_ *origin, c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		for range 10 {
			time.Sleep(200 * time.Millisecond)
			_, _ = io.CopyN(io.Discard, req.Body, 2_000_000)
		}
		_, _ = io.WriteString(c, hello)
	})
	e := start(t, Config{MinBodyRate: 1 << 30, RateGrace: time.Second}, Listener{}, snap([]string{o.addr}, nil))
	c := e.dial(t)
	go func() {
		_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n")
		_, _ = c.Write(make([]byte, 20_000_000))
	}()
	if resp, body := c.answer("PUT"); resp.StatusCode != 200 || body != "hello" {
		t.Errorf("%d, %q", resp.StatusCode, body)
	}
}

// A client that takes an answer too slowly is cut off, and the endpoint is free again.
func TestSlowReader(t *testing.T) {
	gone := make(chan struct{}, 1)
	o := startOrigin(t, func(o *origin, c net.Conn) {
		if _, err := o.readHead(bufio.NewReader(c)); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
		_, _ = io.Copy(c, io.LimitReader(zeros{}, 100_000_000))
		gone <- struct{}{}
	})
	e := start(t, Config{MinSendRate: 1 << 30, RateGrace: 300 * time.Millisecond}, Listener{}, snap([]string{o.addr}, nil))
	c := e.dial(t)
	_ = c.Conn.(*net.TCPConn).SetReadBuffer(16 << 10)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	b := make([]byte, 100)
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		select {
		case <-gone:
			eventually(t, "nothing is in flight", func() bool {
				for _, ep := range e.compiled.endpoints {
					if ep.inFlight.Load() != 0 {
						return false
					}
				}
				return true
			})
			if fs := e.observed.failures(); len(fs) > 0 {
				t.Errorf("the endpoint is blamed: %v", fs)
			}
			return
		default:
		}
		if time.Since(began) > patience {
			t.Fatal("the slow reader is served for ever")
		}
		if _, err := c.Read(b); err != nil && !isReset(err) {
			t.Fatal(err)
		}
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
