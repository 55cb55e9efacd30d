package proxy

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// An answer that fails in mid-body is an outcome that speaks against the endpoint, although its
// head was good: of the time when it broke off, and with the id under which the access log has
// the request.
func TestOutcomeOfABodyThatBreaksOff(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		want         gateway.Failure
	}{
		{"closed within a length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", gateway.FailureReset},
		{"closed within chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", gateway.FailureReset},
		{"broken chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", gateway.FailureMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			const pause = 100 * time.Millisecond
			o := startOrigin(t, func(o *origin, conn net.Conn) {
				if _, err := o.readHead(bufio.NewReader(conn)); err != nil {
					return
				}
				head := len(c.answer) - 6
				_, _ = io.WriteString(conn, c.answer[:head])
				time.Sleep(pause)
				_, _ = io.WriteString(conn, c.answer[head:])
			})
			e := before(t, o)
			cl := e.dial(t)
			cl.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			eventually(t, "an outcome", func() bool { return len(e.observed.get()) == 1 })
			out := e.observed.get()[0]
			if out.Failure != c.want || out.Status != 200 || out.Request == 0 || out.Latency < pause/2 {
				t.Errorf("outcome %+v, want %s of a 200 after %s", out, c.want, pause)
			}
		})
	}
}

// What an endpoint did is not told of the next one, whose client leaves.
func TestFailureOfAnotherEndpoint(t *testing.T) {
	dead, silent := rawOrigin(t, hello, false), answering(t, func(c net.Conn, _ string) bool {
		_, _ = c.Read(make([]byte, 1)) // until the proxy closes
		return false
	})
	dead.stop()
	var out syncBuffer
	e := start(t, Config{AccessLog: &out}, Listener{}, snap([]string{dead.addr, silent.addr}, nil))
	for i := range 2 { // one of the two begins with the dead one
		c := e.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		eventually(t, "asked", func() bool { return len(silent.seen()) == i+1 })
		_ = c.Close()
	}
	eventually(t, "both lines", func() bool { return strings.Count(out.String(), `"aborted":true`) == 2 })
	if strings.Contains(out.String(), `"failure"`) || strings.Contains(out.String(), `"reason":"connect"`) {
		t.Error(out.String())
	}
}
