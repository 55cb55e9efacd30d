package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// halfHello is the first half of a real ClientHello.
func halfHello(t testing.TB) []byte {
	client, server := net.Pipe()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: "a.example.com", NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}).Handshake()
	}()
	b := make([]byte, 4096)
	n, err := server.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = client.Close(), server.Close()
	return b[:n/2]
}

// A client that begins no handshake, or does not go on with it, is closed after the time for
// a head, whatever it dribbles.
func TestSlowTLSHandshake(t *testing.T) {
	hello := halfHello(t)
	s := serveTLS(t, Config{HeaderTimeout: 300 * time.Millisecond}, TLS{}, rawOrigin(t, "", true))
	s.use(s.cert(t, "a", nil, "a.example.com"))
	for name, c := range map[string]struct{ first, then []byte }{
		"nothing":              {nil, nil},
		"half of a hello":      {hello, nil},
		"a hello byte by byte": {hello[:5], hello[5:]},
	} {
		t.Run(name, func(t *testing.T) {
			cl := s.dial(t)
			began := time.Now()
			cl.send(string(c.first))
			if rest := c.then; rest != nil {
				defer steadily(func() error {
					time.Sleep(40 * time.Millisecond)
					_, err := cl.Write(rest[:1])
					rest = rest[1:]
					return err
				})()
			}
			if _, err := cl.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && (err == nil || !isReset(err)) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took < 200*time.Millisecond {
				t.Errorf("closed after %v", took)
			}
		})
	}
	if n := s.shake().failed[tlsFaultTimeout].Load(); n != 3 {
		t.Errorf("%d handshakes are counted as too slow", n)
	}
}

// Two thousand handshakes that do not go on cost less than 64 MB, their clients' side in this
// process included, and another client is served meanwhile.
func TestManySlowTLSHandshakes(t *testing.T) {
	const many, most = 2000, 64 << 10 // KiB
	hello := halfHello(t)
	s := serveTLS(t, Config{HeaderTimeout: time.Minute}, TLS{}, rawOrigin(t, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false))
	s.use(s.cert(t, "a", nil, "a.example.com"))
	before := heldKiB()
	for i := range many {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if i%2 == 0 {
			if _, err := c.Write(hello); err != nil {
				t.Fatal(err)
			}
		}
	}
	l := s.theListener(t)
	eventually(t, "all are there", func() bool { return l.open.Load() == many })
	if _, err := s.connect(t, "a.example.com", nil); err != nil {
		t.Errorf("another client: %v", err)
	}
	held := heldKiB() - before
	t.Logf("%.1f KiB for each", float64(held)/many)
	if held > most {
		t.Errorf("%d handshakes hold %d KiB", many, held)
	}
}
