package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
)

// farewell reads to the end of the connection and returns the last streams that the GOAWAYs
// named. between is called when the PING between the two steps has come, which it answers.
func (f *frames) farewell(between func(ping [8]byte)) (last []uint32) {
	f.t.Helper()
	for {
		fr, err := f.ReadFrame()
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || err != nil && isReset(err) {
			return last
		}
		f.must(err)
		switch fr := fr.(type) {
		case *xhttp2.GoAwayFrame:
			if fr.ErrCode != xhttp2.ErrCodeNo {
				f.t.Errorf("GOAWAY with %v", fr.ErrCode)
			}
			last = append(last, fr.LastStreamID)
		case *xhttp2.PingFrame:
			if !fr.IsAck() {
				between(fr.Data)
			}
		}
	}
}

// A connection without streams is closed in two steps after the idle time, though its client
// keeps it busy with PINGs.
func TestHTTP2IdleDespitePings(t *testing.T) {
	e := start(t, Config{IdleTimeout: 300 * time.Millisecond}, Listener{}, snap([]string{rawOrigin(t, hello, false).addr}, nil))
	f := e.dialFrames(t, 0)
	f.ask(1, "GET", true)
	if got := f.until(1); got.status != "200" {
		t.Fatalf("%+v", got)
	}
	began := time.Now()
	stop := steadily(func() error { time.Sleep(60 * time.Millisecond); return f.WritePing(false, [8]byte{'c'}) })
	defer stop()
	last := f.farewell(func([8]byte) {}) // the PING is not answered, which has to do no harm
	if len(last) != 2 || last[0] != 1<<31-1 || last[1] != 1 {
		t.Errorf("GOAWAYs with last streams %v", last)
	}
	if took := time.Since(began); took < 250*time.Millisecond {
		t.Errorf("closed after %v", took)
	}
}

// A request that crosses the first GOAWAY of an idle connection is served.
func TestHTTP2RequestCrossesIdleClose(t *testing.T) {
	e := start(t, Config{IdleTimeout: 100 * time.Millisecond}, Listener{}, snap([]string{rawOrigin(t, hello, false).addr}, nil))
	f := e.dialFrames(t, 0)
	var got streamEnding
	last := f.farewell(func(ping [8]byte) {
		f.ask(1, "GET", true)
		got = f.until(1)
		f.must(f.WritePing(true, ping))
	})
	if got.status != "200" || len(last) != 2 || last[1] != 1 {
		t.Errorf("%+v, last streams %v", got, last)
	}
}

// A connection with a stream is not idle, however long the answer takes.
func TestHTTP2StreamIsNotIdle(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(600 * time.Millisecond)
		_, _ = io.WriteString(w, "hello")
	})
	e := start(t, Config{IdleTimeout: 100 * time.Millisecond}, Listener{}, snap([]string{o.addr}, nil))
	f := e.dialFrames(t, 0)
	f.ask(1, "GET", true)
	if got := f.until(1); got.status != "200" || string(got.body) != "hello" {
		t.Errorf("%+v", got)
	}
}

// Connections without streams count as idle, and make room for new ones; those with streams
// stay.
func TestHTTP2IdleMakesRoom(t *testing.T) {
	release := make(chan struct{})
	open := sync.OnceFunc(func() { close(release) })
	defer open()
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			<-release
		}
		_, _ = io.WriteString(w, "hello")
	})
	e := start(t, Config{}, Listener{MaxConnections: 4}, snap([]string{o.addr}, nil))
	l := e.theListener(t)
	counts := func(idle, active int) func() bool {
		return func() bool {
			i, a := e.conns.count(l)
			return i == idle && a == active
		}
	}
	var quiet [2]*frames
	for i := range quiet {
		quiet[i] = e.dialFrames(t, 0)
		quiet[i].ask(1, "GET", true)
		if got := quiet[i].until(1); got.status != "200" {
			t.Fatalf("%+v", got)
		}
	}
	busy := e.dialFrames(t, 0)
	busy.ask(1, "POST", true)
	eventually(t, "two are idle, one is active", counts(2, 1))

	said := make(chan int, len(quiet))
	for _, f := range quiet {
		go func() {
			said <- len(f.farewell(func(ping [8]byte) { _ = f.WritePing(true, ping) }))
		}()
	}
	c := e.dial(t) // the last that the listener may have
	c.send("POST / HTTP/1.1\r\nHost: x\r\n\r\n")
	if n := <-said; n != 2 {
		t.Errorf("an idle connection was closed in %d steps", n)
	}
	open()
	if got := busy.until(1); got.status != "200" {
		t.Errorf("the busy one got %+v", got)
	}
	if resp, _ := c.answer("POST"); resp.StatusCode != 200 {
		t.Errorf("the new client got %d", resp.StatusCode)
	}
	for _, f := range quiet {
		_ = f.Close()
	}
	<-said
}

// A client that leaves with its last frame, on a connection that is not new, is noticed soon.
func TestHTTP2LeavesWithItsLastFrame(t *testing.T) {
	e := start(t, Config{}, Listener{}, snap([]string{rawOrigin(t, hello, false).addr}, nil))
	l := e.theListener(t)
	f := e.dialFrames(t, 0)
	f.ask(1, "GET", true)
	if got := f.until(1); got.status != "200" {
		t.Fatalf("%+v", got)
	}
	time.Sleep(time.Duration(firstLook) * 3 / 2) // the first look is over
	tc := f.Conn.(*net.TCPConn)
	raw, err := tc.SyscallConn()
	f.must(err)
	f.must(raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 1) // one segment
	}))
	f.must(err)
	f.must(f.WritePing(false, [8]byte{'b', 'y', 'e'}))
	f.must(tc.CloseWrite())
	eventually(t, "the connection is gone", func() bool {
		idle, active := e.conns.count(l)
		return idle+active == 0
	})
}
