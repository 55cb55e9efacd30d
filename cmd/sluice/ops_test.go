package main

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A certificate that is renewed in its files is shown by the connections that follow; one that can
// not be used is not.
func TestAdminCertificateIsRenewed(t *testing.T) {
	dir := t.TempDir()
	files := &TLSConfig{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	renew := func(host string) {
		t.Helper()
		chain, key, err := selfSigned([]string{host}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string][]byte{files.CertFile: chain, files.KeyFile: key} {
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	renew("one.test")
	s, err := newHTTPServer("admin", "127.0.0.1:0", files)
	if err != nil {
		t.Fatal(err)
	}
	s.handle(http.NotFoundHandler())
	done := make(chan error, 1)
	go func() { done <- s.serve() }()
	shows := func(host string) {
		t.Helper()
		conn, err := tls.Dial("tcp", s.ln.Addr().String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the certificate is what is looked at
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if got := conn.ConnectionState().PeerCertificates[0].DNSNames[0]; got != host {
			t.Errorf("shows the certificate of %s, want %s", got, host)
		}
	}
	shows("one.test")
	renew("two.test")
	shows("two.test")
	if err := os.WriteFile(files.KeyFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shows("two.test")
	s.shutdown(t.Context())
	if err := <-done; err != nil {
		t.Error(err)
	}
}
