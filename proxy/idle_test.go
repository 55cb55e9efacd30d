package proxy

import (
	"testing"
	"time"
)

// A connection stays for its idle time after each request, whoever watches it: after the first one,
// which a goroutine served, as after the others.
func TestIdleTimeIsKept(t *testing.T) {
	e := start(t, Config{IdleTimeout: 4 * time.Second}, Listener{}, snap([]string{rawOrigin(t, hello, false).addr}, nil))
	c := e.dial(t)
	for range 3 {
		if resp, _ := c.get("/"); resp.StatusCode != 200 {
			t.Fatalf("got %d", resp.StatusCode)
		}
		time.Sleep(2 * time.Second)
	}
	if !c.closed() {
		t.Error("an idle connection stays open for ever")
	}
}
