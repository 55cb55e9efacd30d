package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/test/freeport"
)

// speaker is an origin that says its name on each connection and then repeats what it hears, or
// does what is said instead.
func speaker(t testing.TB, name string) *origin {
	return startOrigin(t, func(_ *origin, c net.Conn) {
		_, _ = io.WriteString(c, name+"\n")
		_, _ = io.Copy(c, c)
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	})
}

// streaming is a snapshot with a stream to the addresses.
func streaming(port int, addrs []string, change func(u *gateway.EffectiveUpstream, s *gateway.EffectiveStream)) *gateway.Snapshot {
	st := gateway.EffectiveStream{Port: port, Name: "db", Upstream: testKey, IdleTimeout: gateway.Duration(time.Minute), MaxConnections: 100}
	snap := snap(addrs, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
		if change != nil {
			change(u, &st)
		}
	})
	snap.Streams = []gateway.EffectiveStream{st}
	return snap
}

// speak opens a connection to the port and reads the name.
func speak(t testing.TB, port int) (c *client, name string, err error) {
	t.Helper()
	nc, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, "", err
	}
	_ = nc.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = nc.Close() })
	c = &client{nc, nil, t}
	line := make([]byte, 0, 16)
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := io.ReadFull(nc, b); err != nil {
			return c, "", err
		}
		if b[0] == '\n' {
			return c, string(line), nil
		}
	}
}

func mustSpeak(t testing.TB, port int, want string) *client {
	t.Helper()
	c, name, err := speak(t, port)
	if err != nil || name != want {
		t.Fatalf("answered by %q, %v, want %q", name, err, want)
	}
	return c
}

func (c *client) echoes(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("%q, %v", got, err)
	}
}

// S32: the endpoints behind a port are swapped while it stays open: connections that are open go
// on, and new ones go to the new endpoints. A stream that goes closes its port, and comes back.
func TestS32HotSwap(t *testing.T) {
	a, b := speaker(t, "a"), speaker(t, "b")
	port := freeport.Port(t)
	cfg := Config{StreamHost: "127.0.0.1"}
	e := start(t, cfg, Listener{}, streaming(port, []string{a.addr}, nil))
	old := mustSpeak(t, port, "a")
	for i := range 50 { // each swap meets a connection
		addr, name := a.addr, "a"
		if i%2 == 0 {
			addr, name = b.addr, "b"
		}
		e.Apply(streaming(port, []string{addr}, nil))
		_ = mustSpeak(t, port, name).Close()
	}
	old.echoes(t, "still here")
	e.Apply(snap([]string{a.addr}, nil))
	eventually(t, "the port is closed", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	old.echoes(t, "and still")
	e.Apply(streaming(port, []string{b.addr}, nil))
	mustSpeak(t, port, "b")
}

// Large amounts go both ways at once, and each half is ended by itself.
func TestStreamBothWays(t *testing.T) {
	port := freeport.Port(t)
	e := start(t, Config{StreamHost: "127.0.0.1"}, Listener{}, streaming(port, []string{speaker(t, "a").addr}, nil))
	c := mustSpeak(t, port, "a")
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	go func() {
		_, _ = c.Write(sent)
		_ = c.Conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
	counts := e.streams.counted["Stream acme/db"]
	eventually(t, "it is counted", func() bool {
		return counts.open.Load() == 0 && counts.toEndpoints.Load() == uint64(len(sent)) && counts.toClients.Load() == uint64(len(sent)+2)
	})
}

// A connection that can't be opened is opened to another endpoint, and told to health; the
// endpoint is skipped then. When none can be reached the client is closed.
func TestStreamTriesTheNext(t *testing.T) {
	good := speaker(t, "good")
	dead := fmt.Sprintf("127.0.0.1:%d", freeport.Port(t))
	port := freeport.Port(t)
	e := start(t, Config{StreamHost: "127.0.0.1"}, Listener{}, streaming(port, []string{dead, good.addr}, nil))
	for range 6 {
		mustSpeak(t, port, "good")
	}
	failed, connected := 0, 0
	for _, o := range e.observed.get() {
		switch {
		case o.Address == dead && o.Failure == gateway.FailureConnect && !o.Connected:
			failed++
		case o.Address == good.addr && o.Connected && o.Failure == "" && o.Status == 0:
			connected++
		default:
			t.Errorf("outcome %+v", o)
		}
	}
	if failed < 1 || failed > 3 || connected != 6 {
		t.Errorf("%d failed, %d connected", failed, connected)
	}
	e.Apply(streaming(port, []string{dead}, nil))
	if _, name, err := speak(t, port); err == nil {
		t.Errorf("answered by %q", name)
	}
}

// A connection is closed when nothing passes either way, and not while something does.
func TestStreamIdle(t *testing.T) {
	port := freeport.Port(t)
	e := start(t, Config{StreamHost: "127.0.0.1"}, Listener{}, streaming(port, []string{speaker(t, "a").addr}, func(_ *gateway.EffectiveUpstream, s *gateway.EffectiveStream) {
		s.IdleTimeout = gateway.Duration(400 * time.Millisecond)
	}))
	busy, silent := mustSpeak(t, port, "a"), mustSpeak(t, port, "a")
	begin := time.Now()
	stop := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			case <-time.After(20 * time.Millisecond):
			}
			if _, err := busy.Write([]byte("x")); err != nil {
				ended <- err
				return
			}
			if _, err := io.ReadFull(busy, make([]byte, 1)); err != nil {
				ended <- err
				return
			}
		}
	}()
	_, err := silent.Read(make([]byte, 1))
	if took := time.Since(begin); err == nil || errors.Is(err, context.DeadlineExceeded) || took < 400*time.Millisecond {
		t.Errorf("%v after %v", err, took)
	}
	time.Sleep(time.Second)
	close(stop)
	if err := <-ended; err != nil {
		t.Errorf("a connection that is used was closed: %v", err)
	}
	if n := e.streams.counted["Stream acme/db"].idle.Load(); n != 1 {
		t.Errorf("%d were idle", n)
	}
}

// Connections beyond the limit are closed at once; an endpoint that leaves has its drain time.
func TestStreamLimitAndDrain(t *testing.T) {
	a, b := speaker(t, "a"), speaker(t, "b")
	port := freeport.Port(t)
	limited := func(addr string) *gateway.Snapshot {
		return streaming(port, []string{addr}, func(u *gateway.EffectiveUpstream, s *gateway.EffectiveStream) {
			s.MaxConnections, u.Drain.Timeout = 2, gateway.Duration(time.Millisecond)
		})
	}
	e := start(t, Config{StreamHost: "127.0.0.1"}, Listener{}, limited(a.addr))
	one, two := mustSpeak(t, port, "a"), mustSpeak(t, port, "a")
	if _, name, err := speak(t, port); err == nil {
		t.Errorf("a third is answered by %q", name)
	}
	_ = one.Close()
	eventually(t, "there is room again", func() bool { _, name, err := speak(t, port); return err == nil && name == "a" })
	e.Apply(limited(b.addr))
	if _, err := two.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the endpoint is gone: %v", err)
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// A port that somebody else has is a problem of the stream until it is free.
func TestStreamPortTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	e := start(t, Config{StreamHost: "127.0.0.1"}, Listener{}, streaming(port, []string{speaker(t, "a").addr}, nil))
	if p := e.StreamProblems(); len(p) != 1 || p[0].Code != "port_unavailable" || p[0].Object.Name != "db" || !strings.Contains(p[0].Message, "in use") {
		t.Errorf("%+v", p)
	}
	_ = ln.Close()
	eventually(t, "the port is opened", func() bool { return len(e.StreamProblems()) == 0 })
	mustSpeak(t, port, "a")
	e.Apply(snap(nil, nil))
	if p := e.streams.ports(); len(p) > 0 {
		t.Errorf("ports %v are open", p)
	}
}

// The PROXY header names the client, and a hash sends a client to one endpoint.
func TestStreamIntroducesAndHashes(t *testing.T) {
	port := freeport.Port(t)
	var addrs []string
	for i := range 3 {
		addrs = append(addrs, startOrigin(t, func(_ *origin, c net.Conn) {
			head := make([]byte, 128)
			n, _ := c.Read(head)
			line, _, _ := strings.Cut(string(head[:n]), "\r\n")
			_, _ = fmt.Fprintf(c, "%d %s\n", i, line)
		}).addr)
	}
	start(t, Config{StreamHost: "127.0.0.1"}, Listener{}, streaming(port, addrs, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveStream) {
		u.ProxyProtocol, u.Balance = "v1", gateway.Balance{Policy: "hash", On: "header", Name: "x"}
	}))
	first := ""
	for range 6 {
		c, says, err := speak(t, port)
		if err != nil {
			t.Fatal(err)
		}
		home, line, _ := strings.Cut(says, " ")
		own := c.LocalAddr().(*net.TCPAddr)
		if want := fmt.Sprintf("PROXY TCP4 127.0.0.1 127.0.0.1 %d %d", own.Port, port); line != want || first != "" && home != first {
			t.Errorf("%s says %q, want %q", home, line, want)
		}
		first = home
	}
}
