package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/sluice-gateway/sluice/gateway"
)

// echoSocket sends back what it gets.
func echoSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(1 << 20)
	for {
		kind, b, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, b); err != nil {
			return
		}
	}
}

// WebSockets live on while snapshots come and go, even when their endpoint leaves.
func TestWebSocketThroughSwaps(t *testing.T) {
	a, b := httpOrigin(t, echoSocket), httpOrigin(t, echoSocket)
	e := before(t, a)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, "ws://"+e.addr+"/chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if resp.StatusCode != 101 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	c.SetReadLimit(1 << 20)
	large := strings.Repeat("0123456789", 50_000)
	for i := range 20 {
		addrs := []string{a.addr, b.addr}
		if i%2 == 1 {
			addrs = addrs[1:] // the socket's own endpoint is gone
		}
		s := snap(addrs, nil)
		s.Generation = uint64(i + 2)
		e.Apply(s)
		for _, text := range []string{fmt.Sprint("hello ", i), large} {
			if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
				t.Fatal(err)
			}
			if _, got, err := c.Read(ctx); err != nil || string(got) != text {
				t.Fatalf("after %d swaps: %d bytes, %v", i+1, len(got), err)
			}
		}
	}
	if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Errorf("close: %v", err)
	}
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("failures %v", fs)
	}
}

const upgrade = "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// Bytes that come with the heads belong to the stream, in both directions, and the end of
// one direction is passed on.
func TestTunnelBytes(t *testing.T) {
	o := startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		if _, err := o.readHead(br); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst")
		got, _ := io.ReadAll(br)
		_, _ = c.Write(append([]byte("got "), got...))
	})
	c := before(t, o).dial(t)
	c.send(upgrade + "early")
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "websocket" || resp.Header.Get("Connection") != "Upgrade" {
		t.Fatalf("%+v, %v", resp, err)
	}
	c.send(" late")
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := c.all(); got != "firstgot early late" {
		t.Errorf("%q", got)
	}
	head := o.seen()[0]
	if strings.Count(head, "Upgrade: websocket\r\n") != 1 || strings.Count(head, "Connection: Upgrade\r\n") != 1 {
		t.Errorf("the origin saw %q", head)
	}
}

// An endpoint that refuses to upgrade answers like to any request. The client's connection
// ends: what it sends next may have been meant for the tunnel, and is no request.
func TestUpgradeRefused(t *testing.T) {
	c := before(t, rawOrigin(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", false)).dial(t)
	c.send(upgrade)
	if resp, body := c.answer("GET"); resp.StatusCode != 403 || body != "no" || !resp.Close {
		t.Errorf("%d, %q, close: %v", resp.StatusCode, body, resp.Close)
	}
	if !c.closed() {
		t.Error("the connection goes on")
	}
}

// Only a WebSocket request becomes a tunnel.
func TestUpgradesThatAreNone(t *testing.T) {
	for _, head := range []string{
		"GET / HTTP/1.1\nHost: x\nUpgrade: websocket\n\n",
		"GET / HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: h2c\n\n",
		"GET / HTTP/1.0\nHost: x\nConnection: Upgrade\nUpgrade: websocket\n\n",
		"POST / HTTP/1.1\nHost: x\nContent-Length: 0\nConnection: Upgrade\nUpgrade: websocket\n\n",
	} {
		o := rawOrigin(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", false)
		e := before(t, o)
		c := e.dial(t)
		c.send(crlf(head))
		if resp, _ := c.answer("GET"); resp.StatusCode != 502 {
			t.Errorf("%q: status %d", head, resp.StatusCode)
		}
		if strings.Contains(o.seen()[0], "Upgrade") {
			t.Errorf("%q is forwarded as %q", head, o.seen()[0])
		}
		eventually(t, "a failure", func() bool {
			fs := e.observed.failures()
			return len(fs) == 1 && fs[0] == gateway.FailureMalformed
		})
	}
}
