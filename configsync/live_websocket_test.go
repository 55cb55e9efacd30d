package configsync_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestLiveWebSocket: what was upgraded stays open over 100 changes, and no request fails.
func TestLiveWebSocket(t *testing.T) {
	w := newLuaWorld(t, 1)
	one, two, socket := backend(t, "one"), backend(t, "two"), echo(t)
	w.serve("", socket)
	w.endpointsBy(gateway.EndpointsByLua)
	before := w.state()
	talk := upgrade(t, w.edges[0])
	talk("hello")
	w.balanced(up(one))
	w.answers(time.Now(), "one")
	var stop atomic.Bool
	var asked, failed atomic.Int64
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for !stop.Load() {
				asked.Add(1)
				if code, text, err := get(w.edges[0], "shop.test"); err != nil || code != http.StatusOK {
					failed.Add(1)
					t.Errorf("a request failed: %d %s %v", code, text, err)
				}
			}
		})
	}
	for i := range 100 {
		switch i % 4 {
		case 0:
			w.balanced(up(one), up(two))
		case 1:
			w.balanced(ejected(one), up(two))
		case 2:
			w.balanced(up(two))
		default:
			w.balanced(up(one))
		}
		time.Sleep(20 * time.Millisecond)
		if i%10 == 0 {
			talk(fmt.Sprint("after ", i))
		}
	}
	w.answers(time.Now(), "one")
	stop.Store(true)
	load.Wait()
	talk("goodbye")
	if after := w.state(); after != before {
		t.Errorf("endpoints changed more than themselves: before\n%safter\n%s", before, after)
	}
	t.Logf("figure lua_websocket_failed_requests %d requests goal 0 (of %d, over 100 changes)", failed.Load(), asked.Load())
}

// echo sends back what it gets on an upgraded connection.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				r := bufio.NewReader(conn)
				req, err := http.ReadRequest(r)
				if err != nil || req.Header.Get("Upgrade") == "" {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\necho")
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
				_, _ = io.Copy(conn, r)
			}()
		}
	}()
	return l.Addr().String()
}

// upgrade opens a WebSocket through a node; the function it returns sends a text and expects it
// back.
func upgrade(t *testing.T, e *edge) func(text string) {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(context.Background(), "tcp", e.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %+v %v", res, err)
	}
	return func(text string) {
		t.Helper()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatalf("the WebSocket broke: %v", err)
		}
		back := make([]byte, len(text))
		if _, err := io.ReadFull(r, back); err != nil || string(back) != text {
			t.Fatalf("the WebSocket broke: %q %v", back, err)
		}
	}
}
