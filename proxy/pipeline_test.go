package proxy

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// The time that the request in front takes is not taken from one that came behind it, neither
// from its head nor from its duration.
func TestPipelinedBehindSlow(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(1200 * time.Millisecond)
		}
		_, _ = io.WriteString(w, "hello")
	})
	e := start(t, Config{HeaderTimeout: time.Second}, Listener{}, snap([]string{o.addr}, nil))
	c := e.dial(t)
	if resp, _ := c.get("/"); resp.StatusCode != 200 { // from now on requests are served within the wait
		t.Fatalf("got %d", resp.StatusCode)
	}
	c.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHo")
	if resp, _ := c.answer("GET"); resp.StatusCode != 200 {
		t.Fatalf("got %d", resp.StatusCode)
	}
	c.send("st: x\r\n\r\n")
	if resp, _ := c.answer("GET"); resp.StatusCode != 200 {
		t.Errorf("the second got %d", resp.StatusCode)
	}
}
