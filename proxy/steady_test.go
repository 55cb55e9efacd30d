package proxy

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// takeSlowly reads a megabyte a second. A socket takes more only when a third of its buffer is free, which
// is longer than the times of these tests.
func takeSlowly(r io.Reader, size int) (n int) {
	for b := make([]byte, 50<<10); n < size; time.Sleep(50 * time.Millisecond) {
		k, err := io.ReadFull(r, b[:min(len(b), size-n)])
		if n += k; err != nil {
			break
		}
	}
	return n
}

// patientOnly is a proxy whose peers must not be silent for long.
func patientOnly(t *testing.T, o *origin) *edge {
	return start(t, Config{WriteTimeout: 600 * time.Millisecond}, Listener{}, snap([]string{o.addr}, func(u *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		r.MaxBodySize, u.Timeouts.Response = 0, gateway.Duration(2500*time.Millisecond)
	}))
}

// TestSteadyEndpoint: an endpoint that takes a large body slowly gets all of it.
func TestSteadyEndpoint(t *testing.T) {
	t.Parallel()
	const size = 6 << 20
	o := startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		if _, err := o.readHead(br); err == nil && takeSlowly(br, size) == size {
			_, _ = io.WriteString(c, hello)
		}
	})
	c := patientOnly(t, o).dial(t)
	c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n")
	go func() { _, _ = io.Copy(c, io.LimitReader(zeros{}, size)) }()
	if resp, body := c.answer("POST"); resp.StatusCode != 200 {
		t.Errorf("%s %q", resp.Status, body)
	}
}

// TestSteadyTunnel: so do the two ends of a WebSocket.
func TestSteadyTunnel(t *testing.T) {
	t.Parallel()
	const size = 6 << 20
	got := make(chan int, 1)
	o := startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		head, err := o.readHead(br)
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		if head[:9] == "GET /down" {
			_, _ = io.Copy(c, io.LimitReader(zeros{}, size))
		} else {
			got <- takeSlowly(br, size)
		}
	})
	e := patientOnly(t, o)
	const rest = " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	for _, path := range []string{"/down", "/up"} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			c := e.dial(t)
			c.send("GET " + path + rest)
			if resp, _ := c.answer("GET"); resp.StatusCode != 101 {
				t.Fatal(resp.Status)
			}
			var n int
			if path == "/down" {
				n = takeSlowly(c.br, size)
			} else {
				_, _ = io.Copy(c, io.LimitReader(zeros{}, size))
				n = <-got
			}
			if n != size {
				t.Errorf("%d of %d bytes", n, size)
			}
		})
	}
}
