package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// final reads answers until one that is not interim, and says how many were.
func (c *client) final(method string) (resp *http.Response, body string, interims int) {
	c.t.Helper()
	for ; ; interims++ {
		resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
		if err != nil {
			c.t.Fatalf("after %d interim answers: %v", interims, err)
		}
		if resp.StatusCode >= 200 {
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				c.t.Fatal(err)
			}
			return resp, string(b), interims
		}
	}
}

// TestLongWork: an endpoint that keeps saying that it is at work (102, as WebDAV servers do while they
// copy) may take longer than it may be silent, and say it as often as that takes.
func TestLongWork(t *testing.T) {
	const working = "HTTP/1.1 102 Processing\r\n\r\n"
	o := answering(t, func(c net.Conn, _ string) bool {
		_, _ = io.WriteString(c, strings.Repeat(working, maxInterims))
		for range 5 {
			time.Sleep(1100 * time.Millisecond)
			_, _ = io.WriteString(c, working)
		}
		_, err := io.WriteString(c, hello)
		return err == nil
	})
	e := start(t, Config{}, Listener{}, snap([]string{o.addr}, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
		u.Timeouts.Response = gateway.Duration(3 * time.Second)
	}))
	c := e.dial(t)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, body, n := c.final("GET"); body != "hello" || n != maxInterims+5 {
		t.Errorf("%s %q after %d interim answers", resp.Status, body, n)
	}
}
