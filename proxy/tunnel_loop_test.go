package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/coder/websocket"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// echoBytes opens a tunnel and sends back what comes, until that ends.
func echoBytes(w http.ResponseWriter, _ *http.Request) {
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	_, _ = io.Copy(c, rw) // the client tells
	_ = c.(interface{ CloseWrite() error }).CloseWrite()
	_, _ = io.Copy(io.Discard, c) // until the proxy closes
}

// opened sends the upgrade and takes the 101.
func opened(t testing.TB, c net.Conn) *client {
	t.Helper()
	cl := &client{c, bufio.NewReader(c), t}
	cl.send(strings.Replace(upgrade, "Host: x", "Host: shop.test", 1))
	if resp, err := http.ReadResponse(cl.br, nil); err != nil || resp.StatusCode != 101 {
		t.Fatalf("%+v, %v", resp, err)
	}
	return cl
}

// Large streams pass a tunnel whole, both ways at once, whoever is slow, in the clear and over TLS, and
// so do their ends.
func TestTunnelOfMuch(t *testing.T) {
	ca := certtest.NewCA(t, "ca", time.Now())
	pair := ca.Issue(t, time.Now(), "api.test")
	plain := httpOrigin(t, echoBytes)
	secure := startTLSOrigin(t, &tls.Config{Certificates: []tls.Certificate{pair.TLS(t)}}, echoBytes)
	for name, s := range map[string]*gateway.Snapshot{
		"plain": snap([]string{plain.addr}, nil),
		"tls":   toTLS(&gateway.UpstreamTLS{ServerName: "api.test", CA: ca.PEM}, nil, secure.addr),
	} {
		front, e := serveTLS(t, Config{}, TLS{}, plain), start(t, Config{}, Listener{}, s)
		front.snap = s
		front.use(front.cert(t, "shop", nil, "shop.test"))
		for client, dial := range map[string]func() net.Conn{
			"plain": func() net.Conn { return e.dial(t).Conn },
			"tls":   func() net.Conn { return front.must(t, "shop.test", nil) },
		} {
			t.Run(client+"_to_"+name, func(t *testing.T) {
				var all sync.WaitGroup
				for seed := range uint64(4) {
					c := opened(t, dial())
					all.Go(func() { c.echoesMuch(seed) })
				}
				all.Wait()
			})
		}
	}
}

// echoesMuch sends much in pieces, and reads it again.
func (c *client) echoesMuch(seed uint64) {
	const size = 4 << 20
	rnd := rand.New(rand.NewPCG(seed, 1))
	sent, got := sha256.New(), sha256.New()
	var up sync.WaitGroup
	up.Go(func() {
		b := make([]byte, 64<<10)
		for left := size; left > 0; {
			n := min(1+rnd.IntN(len(b)), left)
			for i := range b[:n] {
				b[i] = byte(rnd.Uint32())
			}
			sent.Write(b[:n])
			if _, err := c.Write(b[:n]); err != nil {
				c.t.Errorf("%d bytes before the end: %v", left, err)
				return
			}
			left -= n
		}
		_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	})
	pauses := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, 100<<10)
	for {
		n, err := c.br.Read(b)
		got.Write(b[:n])
		if err != nil {
			if !errors.Is(err, io.EOF) {
				c.t.Error(err)
			}
			break
		}
		if pauses.IntN(20) == 0 {
			time.Sleep(time.Duration(pauses.IntN(30)) * time.Millisecond) // the buffers fill
		}
	}
	up.Wait()
	if !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
		c.t.Error("other bytes came back")
	}
}

// A client over TLS that has not read for a while is heard.
func TestTunnelHearsWhoDoesNotRead(t *testing.T) {
	got := make(chan byte, 1)
	front := serveTLS(t, Config{}, TLS{}, startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		if _, err := o.readHead(br); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		go func() {
			if b, err := br.ReadByte(); err == nil {
				got <- b
			}
		}()
		for b := make([]byte, 64<<10); ; {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}))
	front.use(front.cert(t, "shop", nil, "shop.test"))
	c := opened(t, front.must(t, "shop.test", nil))
	eventually(t, "there is no room for more", func() bool {
		front.tunnels.mu.Lock()
		defer front.tunnels.mu.Unlock()
		for l := range front.tunnels.tunnels {
			tn := l.(*tunnel)
			tn.mu.Lock()
			defer tn.mu.Unlock()
			return tn.down.owes
		}
		return false
	})
	c.send("x")
	select {
	case <-got:
	case <-time.After(patience):
		t.Error("the endpoint heard nothing")
	}
}

// A silent tunnel needs no goroutine.
func TestSilentTunnels(t *testing.T) {
	e := before(t, httpOrigin(t, echoBytes))
	var clients []*client
	for range 50 {
		clients = append(clients, opened(t, e.dial(t)))
	}
	ours := func() int {
		b := make([]byte, 4<<20)
		return strings.Count(string(b[:runtime.Stack(b, true)]), "proxy.(*conn)")
	}
	for i := range 2 {
		eventually(t, "no goroutine for silent tunnels", func() bool { return ours() == 0 })
		for _, c := range clients {
			text := fmt.Sprint("hello ", i)
			c.send(text)
			b := make([]byte, len(text))
			if _, err := io.ReadFull(c.br, b); err != nil || string(b) != text {
				t.Fatalf("%q, %v", b, err)
			}
		}
	}
}

// A tunnel counts as long as it lasts, as a request in progress, as one of the upstream's and as one in
// flight, and is in the access log when it is over.
func TestTunnelCounts(t *testing.T) {
	var none int
	var out syncBuffer
	e := start(t, Config{AccessLog: &out}, Listener{}, snap([]string{httpOrigin(t, echoBytes).addr}, func(u *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		r.ConnectionLimit = &gateway.ConnectionLimit{Max: 2, Key: gateway.LimitKey{By: "route"}, Status: 429}
		u.Limits = gateway.UpstreamLimits{MaxConnections: 1, MaxPending: &none}
	}))
	for i := range 3 {
		c := opened(t, e.dial(t))
		if resp, _ := e.dial(t).get("/"); resp.StatusCode != 503 {
			t.Fatalf("beside a tunnel %d", resp.StatusCode)
		}
		c.send("some bytes")
		_, _ = io.ReadFull(c.br, make([]byte, 10)) // the log tells
		_ = c.Close()
		eventually(t, "the tunnel is over", func() bool {
			e.apply.Lock()
			defer e.apply.Unlock()
			keys := 0
			for _, l := range e.compiled.limits {
				keys += l.progress.keys()
			}
			return keys == 0 && strings.Count(out.String(), `"status":101,"bytes":10,`) == i+1
		})
	}
}

// A tunnel outlives snapshots, and does not keep them in memory.
func TestTunnelKeepsNoTable(t *testing.T) {
	o := httpOrigin(t, echoBytes)
	e := before(t, o)
	c := opened(t, e.dial(t))
	old := weak.Make(e.live.Load())
	s := snap([]string{o.addr}, nil)
	s.Generation = 2
	e.Apply(s)
	eventually(t, "the old table is gone", func() bool { runtime.GC(); return old.Value() == nil })
	c.send("still here")
	b := make([]byte, 10)
	if _, err := io.ReadFull(c.br, b); err != nil || string(b) != "still here" {
		t.Errorf("%q, %v", b, err)
	}
}

// At the end of a shutdown's time a tunnel is cut, even when its endpoint does not want to end.
func TestShutdownCutsTunnels(t *testing.T) {
	o := startOrigin(t, func(o *origin, c net.Conn) {
		if _, err := o.readHead(bufio.NewReader(c)); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		for b := make([]byte, 1); ; {
			if _, err := c.Read(b); err != nil && !errors.Is(err, io.EOF) {
				return
			}
			time.Sleep(time.Millisecond) // half of it has ended, which moves nobody here
			if _, err := c.Write(nil); err != nil {
				return
			}
		}
	})
	e := before(t, o)
	c := opened(t, e.dial(t))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- e.Shutdown(ctx) }()
	select {
	case err := <-done:
		if err == nil {
			t.Error("the shutdown does not tell that it cut something")
		}
	case <-time.After(patience):
		t.Fatal("the shutdown waits for the endpoint")
	}
	if got := c.all(); got != string(goingAway) {
		t.Errorf("%q, want to be told and cut", got)
	}
	o.stop()
}

// A shutdown asks WebSockets to end before it cuts them, and does not wait longer than for that.
func TestShutdownTellsWebSockets(t *testing.T) {
	e := before(t, httpOrigin(t, echoSocket))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+e.addr+"/chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, 1200*time.Millisecond) // the last second is the last call
		defer cancel()
		done <- e.Shutdown(ctx)
	}()
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("%v, want close status 1001", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func BenchmarkTunnel(b *testing.B) {
	e := before(b, startOrigin(b, func(o *origin, c net.Conn) {
		if _, err := o.readHead(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
			for p := make([]byte, 100); ; {
				n, err := c.Read(p)
				if err != nil {
					return
				}
				_, _ = c.Write(p[:n]) // the reader tells
			}
		}
	}))
	var all sync.WaitGroup
	const tunnels = 16
	for range tunnels {
		c := opened(b, e.dial(b))
		all.Go(func() {
			p := make([]byte, 32)
			for range b.N/tunnels + 1 {
				_, _ = c.Write(p)
				if _, err := io.ReadFull(c.br, p); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	b.ReportAllocs()
	all.Wait()
}
