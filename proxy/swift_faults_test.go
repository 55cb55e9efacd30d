package proxy

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const keptAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// afterThree answers three requests, and those after them as told.
func afterThree(t *testing.T, later func(c net.Conn) (again bool)) *origin {
	asked := 0
	return answering(t, func(c net.Conn, _ string) bool {
		if asked++; asked > 3 {
			return later(c)
		}
		_, _ = io.WriteString(c, keptAnswer)
		return true
	})
}

// settleIn has the connection and one to the endpoint left to loops: from the second request on.
func settleIn(t *testing.T, c *client) {
	t.Helper()
	for range 3 {
		if _, got := c.get("/"); got != "ok" {
			t.Fatalf("%q", got)
		}
	}
}

// An answer that ends with the connection is whole only when that ended in order, also when a
// loop saw it end.
func TestResetIsNoEndOfAnswer(t *testing.T) {
	o := afterThree(t, func(c net.Conn) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\npart")
		time.Sleep(100 * time.Millisecond) // the loop waits for more
		_ = c.(*net.TCPConn).SetLinger(0)
		return false
	})
	e := start(t, Config{}, Listener{}, snap([]string{o.addr}, nil))
	c := e.dial(t)
	settleIn(t, c)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("a part of an answer, %q, was passed on as a whole one", b)
	}
}

// The time of an idle connection begins when the answer has ended, however long that took.
func TestIdleTimeAfterSlowAnswer(t *testing.T) {
	o := afterThree(t, func(c net.Conn) bool {
		_, _ = io.WriteString(c, keptAnswer[:len(keptAnswer)-1])
		time.Sleep(2500 * time.Millisecond)
		_, _ = io.WriteString(c, "k")
		return true
	})
	e := start(t, Config{IdleTimeout: 2 * time.Second}, Listener{}, snap([]string{o.addr}, nil))
	c := e.dial(t)
	settleIn(t, c)
	c.get("/")
	time.Sleep(100 * time.Millisecond)
	c.get("/")
}

// halfAnswers answers three requests, and then half of each.
func halfAnswers(t *testing.T) *origin {
	return afterThree(t, func(c net.Conn) bool {
		_, _ = io.WriteString(c, keptAnswer[:len(keptAnswer)-1])
		return true
	})
}

// An endpoint that falls silent within an answer is given up after its response timeout, also
// when a loop waits for it.
func TestSilenceWithinAnswer(t *testing.T) {
	o := halfAnswers(t)
	e := start(t, Config{}, Listener{}, snap([]string{o.addr}, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
		u.Timeouts.Response = gateway.Duration(2 * time.Second)
	}))
	c := e.dial(t)
	settleIn(t, c)
	began := time.Now()
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_, _ = io.ReadAll(c.br)
	took := time.Since(began)
	t.Logf("figure silence_ends_after %.1f s goal 2", took.Seconds())
	if fs := e.observed.failures(); len(fs) != 1 || fs[0] != gateway.FailureTimeout || took > 15*time.Second {
		t.Errorf("%v after %v", fs, took)
	}
}

// A client that leaves in the middle of an answer ends it, also when a loop waits for more.
func TestClientLeavesWithinAnswer(t *testing.T) {
	o := halfAnswers(t)
	e := start(t, Config{}, Listener{}, snap([]string{o.addr}, nil))
	c := e.dial(t)
	settleIn(t, c)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := http.ReadResponse(c.br, nil); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	eventually(t, "the connection to be forgotten", func() bool {
		e.conns.mu.Lock()
		defer e.conns.mu.Unlock()
		return len(e.conns.open) == 0
	})
}
