package agent

import (
	"context"
	"crypto/tls"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
	"github.com/sluice-gateway/sluice/test/freeport"
)

// secureTree renders one host with a certificate.
func (s *site) secureTree(listen string, pair certtest.Pair) *nginxconf.Tree {
	snapshot := &gateway.Snapshot{
		Tenants: []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
		Hosts:   []*gateway.Host{{Name: "shop.test", Tenant: "acme"}},
		Certificates: []*gateway.EffectiveCertificate{{Key: gateway.CertificateKey{Tenant: "acme", Name: "shop"}, Hosts: []string{"shop.test"},
			Chain: pair.Chain, PrivateKey: gateway.Secret(pair.Key)}},
	}
	tree, _ := nginxconf.Render(snapshot, "shared", gateway.NodeFacts{TreePath: s.disk.link(), NginxVersion: s.nginx.build.version, DigestListen: s.nginx.listen,
		Modules: s.nginx.build.modules, Listen: []string{s.Address}, ListenTLS: []string{listen}})
	return &tree
}

// presented is the serial number of the certificate that nginx shows, or the error of the
// handshake.
func presented(address, name string) string {
	c, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return err.Error()
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// TestCertificates: a certificate is served, renewed, and refused when it does not fit, and
// its key is nowhere to be seen but in the file that nginx reads and in the bundle.
func TestCertificates(t *testing.T) {
	s := newSite(t, true)
	ca := certtest.NewCA(t, "ca", time.Now())
	first, second := ca.Issue(t, time.Now(), "shop.test"), ca.Issue(t, time.Now(), "shop.test")
	listen := freeport.Address(t)

	one, two := s.secureTree(listen, first), s.secureTree(listen, second)
	for i, f := range one.Files {
		if changed := f.Data != two.Files[i].Data; changed != (f.Path == nginxconf.DigestFile || strings.HasPrefix(f.Path, "certs/")) {
			t.Errorf("%s changed: %v", f.Path, changed)
		}
	}
	s.mustApply(one)
	before := presented(listen, "shop.test")
	s.mustApply(two)
	after := presented(listen, "shop.test")
	if before == after || strings.Contains(before+after, " ") {
		t.Errorf("before the renewal nginx showed %s, then %s", before, after)
	}
	if got := presented(listen, "other.test"); !strings.Contains(got, "unrecognized name") {
		t.Errorf("another name got %s", got)
	}
	f := s.apply(context.Background(), s.secureTree(listen, certtest.Pair{Chain: first.Chain, Key: second.Key}))
	if f == nil || f.Step != stepCheck || !strings.Contains(f.Message, "key values mismatch") {
		t.Errorf("a key of another certificate: %+v", f)
	}
	s.runs(two.Digest)
	checkSecrets(t, s, two, first.Key)
}

// checkSecrets looks for private keys and for who may read them, then puts another key in the
// place of the one of the tree.
func checkSecrets(t *testing.T, s *site, tree *nginxconf.Tree, other string) {
	t.Helper()
	err := filepath.WalkDir(s.TreeDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), "PRIVATE KEY") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s holds a private key and has mode %o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(s.disk.tree(tree.Digest), "certs", "acme.shop.key")
	if list, err := s.disk.drift(s.disk.tree(tree.Digest), tree, nginxconf.Places{}); err != nil || len(list) != 0 {
		t.Errorf("drift of an untouched tree: %v %v", list, err)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if list, err := s.disk.drift(s.disk.tree(tree.Digest), tree, nginxconf.Places{}); err != nil || len(list) != 1 || !strings.Contains(list[0].Diff, "-mode 600") {
		t.Errorf("drift of a key that everybody reads: %v %v", list, err)
	}
	if err := os.WriteFile(key, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := s.disk.drift(s.disk.tree(tree.Digest), tree, nginxconf.Places{})
	if err != nil || len(list) != 1 || strings.Count(list[0].Diff, "sluice_hidden_secret sha256:") != 2 || strings.Contains(list[0].Diff, "BEGIN") {
		t.Errorf("drift of another key: %v %v", list, err)
	}
	shown := 0
	for _, f := range uploadTree(s.disk.texts(), s.disk.link(), "f").Files {
		if strings.Contains(string(f.Data), "PRIVATE KEY") {
			t.Errorf("%s would be uploaded with its key", f.Path)
		}
		if f.Hidden && nginxconf.IsHidden(string(f.Data)) {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("%d fingerprints of keys would be uploaded", shown)
	}
}
