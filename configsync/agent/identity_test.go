package agent

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

func testIdentity(t *testing.T, dir, node, token string) *identity {
	t.Helper()
	cfg, err := Config{Server: "https://127.0.0.1:1", Fleet: "shared", Node: node, TreeDir: filepath.Join(dir, "tree"), NginxBinary: "/usr/sbin/nginx", EnrolToken: token}.complete()
	if err != nil {
		t.Fatal(err)
	}
	return cfg.identity
}

// A key that was made for an enrolment is used by the next life, too, and nobody else can read it.
func TestEnrollingKey(t *testing.T) {
	dir := t.TempDir()
	token := protocol.NewToken([]byte("authority")).Text()
	one := testIdentity(t, dir, "n1", token)
	if err := one.open(); err != nil {
		t.Fatal(err)
	}
	first, err := one.enrollingKey()
	if err != nil {
		t.Fatal(err)
	}
	again, err := testIdentity(t, dir, "n1", token).enrollingKey()
	if err != nil || !again.Equal(first) {
		t.Errorf("another key: %v", err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, enrollingFile: 0o600} {
		if info, err := os.Stat(filepath.Join(dir, "tree-agent", name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v %v", name, info, err)
		}
	}
	path := filepath.Join(dir, "tree-agent", enrollingFile)
	if err := os.WriteFile(path, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if fresh, err := one.enrollingKey(); err != nil || fresh.Equal(first) {
		t.Errorf("a damaged key: %v", err)
	}
}

// What a damaged or foreign state folder leads to is an error that says what to do.
func TestOpenIdentity(t *testing.T) {
	dir := t.TempDir()
	if err := testIdentity(t, dir, "n1", "").open(); !errors.Is(err, errNotEnrolled) {
		t.Errorf("neither certificate nor token: %v", err)
	}
	ca := certtest.NewCA(t, "ca", time.Now())
	i := testIdentity(t, dir, "n1", "")
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	pair := ca.Issue(t, time.Now(), "n1").TLS(t)
	wrong := protocol.Credentials{Certificate: pair.Certificate[0], Authority: pair.Certificate[0], BundleKeys: [][]byte{{1}}}
	if err := i.keep(key, wrong); err == nil || !strings.Contains(err.Error(), "is not for the node's key") {
		t.Errorf("credentials for somebody else's key: %v", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "tree-agent", identityFile)
	write := func(h held) {
		t.Helper()
		b, err := json.Marshal(h)
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(held{Fleet: "shared", Node: "n1", Key: secret, Credentials: wrong})
	if err := i.open(); err != nil || i.current() == nil {
		t.Errorf("a good one: %v", err)
	}
	if err := testIdentity(t, dir, "n2", "").open(); err == nil || !strings.Contains(err.Error(), `is the certificate of node "n1" of fleet "shared", and this is node "n2"`) {
		t.Errorf("another node's: %v", err)
	}
	wrong.BundleKeys = nil
	write(held{Fleet: "shared", Node: "n1", Key: secret, Credentials: wrong})
	if err := testIdentity(t, dir, "n1", "").open(); err == nil || !strings.Contains(err.Error(), "remove the file and enrol the node anew") {
		t.Errorf("without keys for bundles: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tree-agent", floorFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := i.readFloor(i.current()); !errors.Is(err, errRefused) || i.above() != 0 {
		t.Errorf("a damaged number: %v", err)
	}
	if err := i.accept(&protocol.Bundle{Tree: nginxconf.Tree{}}, "d", "f"); !errors.Is(err, errRefused) {
		t.Errorf("a bundle of nobody: %v", err)
	}
}
