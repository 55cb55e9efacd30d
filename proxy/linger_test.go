package proxy

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestLargeRefused: a client that sends all of a large body before it looks for an answer gets the
// refusal, and no reset while it sends.
func TestLargeRefused(t *testing.T) {
	const size = 100_000_000
	e := start(t, Config{}, Listener{}, snap([]string{rawOrigin(t, hello, false).addr}, func(_ *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		r.MaxBodySize = 1 << 20
	}))
	c := e.dial(t)
	c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
	if n, err := io.Copy(c, io.LimitReader(zeros{}, size)); err != nil {
		t.Errorf("after %d bytes: %v", n, err)
	}
	if resp, _ := c.answer("POST"); resp.StatusCode != 413 {
		t.Error(resp.Status)
	}
}

// TestLingeringSlowly: who goes on with next to nothing is not waited for.
func TestLingeringSlowly(t *testing.T) {
	c := before(t, rawOrigin(t, hello, false)).dial(t)
	c.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if resp, _ := c.answer("GET"); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	began := time.Now()
	for time.Since(began) < 8*time.Second {
		if _, err := io.WriteString(c, "more"); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("still open after 8 s")
}
