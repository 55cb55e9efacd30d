package proxy

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// TestLineBehindBody: an empty line behind a body begins no request that would be late after a while.
func TestLineBehindBody(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	e := start(t, Config{HeaderTimeout: 300 * time.Millisecond}, Listener{}, snap([]string{o.addr}, nil))
	const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
	for name, pause := range map[string]time.Duration{"at once": 0, "later": 50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			c := e.dial(t)
			for range 3 {
				if pause == 0 {
					c.send(post + "\r\n")
				} else {
					c.send(post)
				}
				if _, body := c.answer("POST"); body != "hello" {
					t.Fatalf("%q", body)
				}
				if pause > 0 {
					time.Sleep(pause)
					c.send("\r\n")
				}
				time.Sleep(600 * time.Millisecond)
			}
			c.send("\r\n") // a second one is the beginning of a head, which is bounded
			if resp, _ := c.answer("GET"); resp.StatusCode != 408 {
				t.Error(resp.Status)
			}
		})
	}
}
