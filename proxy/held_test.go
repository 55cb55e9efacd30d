package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// gathering is a net.Conn whose writes leave together.
type gathering struct {
	net.Conn
	held bytes.Buffer
	on   bool
}

func (g *gathering) Write(p []byte) (int, error) {
	if g.on {
		return g.held.Write(p)
	}
	return g.Conn.Write(p)
}

func (g *gathering) CloseWrite() error { return g.Conn.(*net.TCPConn).CloseWrite() }

// What comes over TLS in one piece with the first request is not lost, in whatever records, and whether
// the end of the handshake is in it or not.
func TestRecordsBehindFirstRequest(t *testing.T) {
	front := serveTLS(t, Config{}, TLS{}, httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			echoBytes(w, r)
		}
	}))
	front.use(front.cert(t, "shop", nil, "shop.test"))
	for name, early := range map[string]bool{"behind the handshake": false, "with its end": true} {
		t.Run(name, func(t *testing.T) { front.recordsBehindFirst(t, early) })
	}
}

func (s *secured) recordsBehindFirst(t *testing.T, early bool) {
	open := func(t *testing.T) (*client, func()) {
		e := s.dial(t)
		g := &gathering{Conn: e.Conn}
		c := tls.Client(g, &tls.Config{RootCAs: s.ca.Pool, ServerName: "shop.test", VerifyConnection: func(tls.ConnectionState) error {
			g.on = early
			return nil
		}})
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		g.on = true
		e.Conn = c
		e.br.Reset(c)
		return e, func() {
			g.on = false
			if _, err := g.Conn.Write(g.held.Bytes()); err != nil {
				t.Error(err)
			}
		}
	}
	t.Run("request", func(t *testing.T) {
		c, send := open(t)
		for range 2 {
			c.send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
		}
		send()
		for range 2 {
			if resp, _ := c.answer("GET"); resp.StatusCode != 200 {
				t.Error(resp.Status)
			}
		}
	})
	t.Run("tunnel", func(t *testing.T) {
		c, send := open(t)
		c.send(strings.Replace(upgrade, "Host: x", "Host: shop.test", 1))
		c.send("some bytes")
		send()
		if resp, err := http.ReadResponse(c.br, nil); err != nil || resp.StatusCode != 101 {
			t.Fatalf("%+v, %v", resp, err)
		}
		b := make([]byte, 10)
		if _, err := io.ReadFull(c.br, b); err != nil || string(b) != "some bytes" {
			t.Errorf("%q, %v", b, err)
		}
	})
}
