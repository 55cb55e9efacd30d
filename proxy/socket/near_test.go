package socket

import (
	"crypto/tls"
	"net"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// crypto/tls has its fields where findNear looks for them, whatever the version and the cipher.
func TestNear(t *testing.T) {
	pair := certtest.NewCA(t, "ca", time.Now()).Issue(t, time.Now(), "a.test").TLS(t)
	for name, c := range map[string]*tls.Config{
		"1.3":          {},
		"1.2 AES":      {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		"1.2 ChaCha20": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305}},
	} {
		c.Certificates = []tls.Certificate{pair}
		here, there := net.Pipe()
		go func() {
			client := tls.Client(there, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // who it is matters to nobody here
			_ = client.Handshake()                                             // what it hears is not the question
			_, _ = client.Read(make([]byte, 1))
		}()
		server := tls.Server(here, c)
		if err := server.Handshake(); err != nil {
			t.Fatal(err)
		}
		reads, writes := findNear(server)
		v := reflect.ValueOf(server).Elem()
		for dir, n := range map[string]near{"in": reads, "out": writes} {
			half := v.FieldByName(dir)
			if n[0] != unsafe.Pointer(server) || n[1] != half.Addr().UnsafePointer() {
				t.Errorf("%s: the connection and its half %q are not at %v", name, dir, n[:2])
			}
			for i, at := range n[2:5] {
				if at == nil {
					t.Errorf("%s: place %d of %q is not known", name, 2+i, dir)
				}
			}
			prefetch(&n)
		}
		if reads[5] == nil {
			t.Errorf("%s: it is not known where records are read into", name)
		}
		_ = here.Close()
	}
	var none near
	prefetch(&none) // of a connection before its handshake
}
