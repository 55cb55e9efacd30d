package storetest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// writeCertificates makes an authority and one certificate for loopback that serves both ends of
// a connection.
func writeCertificates(t testing.TB) (caFile, certFile, keyFile string) {
	t.Helper()
	dir := t.TempDir()
	ca := certtest.NewCA(t, "storetest authority", time.Now())
	caFile = filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(caFile, []byte(ca.PEM), 0o600); err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = ca.Issue(t, time.Now(), "127.0.0.1", "localhost").Write(t, dir, "cert")
	return caFile, certFile, keyFile
}
