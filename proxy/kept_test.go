package proxy

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

// TestEndpointClosesFirst: an endpoint that says how long it keeps a connection gets no request over it
// at about that time, when its close may be on the way: a POST would be lost.
func TestEndpointClosesFirst(t *testing.T) {
	o := startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		for first := true; ; first = false {
			began := time.Now()
			if _, err := o.readHead(br); err != nil || !first && time.Since(began) > 1500*time.Millisecond {
				return // as if the close and the request had crossed
			}
			_, _ = io.ReadFull(br, make([]byte, 1))
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nKeep-Alive: max=100, timeout=2\r\nContent-Length: 0\r\n\r\n")
		}
	})
	c := before(t, o).dial(t)
	for i, wait := range []time.Duration{0, 500 * time.Millisecond, 1600 * time.Millisecond} {
		time.Sleep(wait)
		c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
		if resp, text := c.answer("POST"); resp.StatusCode != 200 {
			t.Errorf("POST %d: %s %q", i, resp.Status, text)
		}
	}
	if n := o.opened(); n != 2 {
		t.Errorf("%d connections, want the first one used twice", n)
	}
}
