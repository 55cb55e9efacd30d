package health

import (
	"io"
	"net"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// Endpoints that want a PROXY header get one that names nobody before the probe.
func TestProbeBehindAProxyHeader(t *testing.T) {
	// PP v1 section 2.1 and v2 section 2.2: UNKNOWN, and the LOCAL command without addresses.
	for version, header := range map[string]string{"": "", "v1": "PROXY UNKNOWN\r\n", "v2": "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 1)
		go func() {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
			b := make([]byte, len(header)+len("GET / HTTP/1.1\r\n"))
			_, _ = io.ReadFull(c, b)
			got <- string(b)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
		}()
		check := *filled(gateway.EffectiveCheck{Active: &gateway.ActiveCheck{}}).Active
		q := newQuestion(Target{EndpointKey: gateway.EndpointKey{Address: ln.Addr().String()}, Check: &check, ProxyProtocol: version})
		if status, err := q.probe(t.Context(), connect, ln.Addr().String()); status != 200 || err != nil {
			t.Errorf("%q: %d, %v", version, status, err)
		}
		if b := <-got; b != header+"GET / HTTP/1.1\r\n" {
			t.Errorf("%q: the endpoint got %q", version, b)
		}
		_ = ln.Close()
	}
}
