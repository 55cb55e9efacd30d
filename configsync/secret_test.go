package configsync

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// TestKeysAreNotShown: a node's key is compared by its fingerprint, and stands in no diff and
// in no download.
func TestKeysAreNotShown(t *testing.T) {
	c := New(Config{})
	s := testSnapshot([]string{"shared"}, "10.0.0.1:80", "")
	ca := certtest.NewCA(t, "ca", time.Now())
	pair, other := ca.Issue(t, time.Now(), "shop.test"), ca.Issue(t, time.Now(), "shop.test")
	s.Certificates = []*gateway.EffectiveCertificate{{Key: gateway.CertificateKey{Tenant: "acme", Name: "shop"}, Hosts: []string{"shop.test"}, Chain: pair.Chain, PrivateKey: gateway.Secret(pair.Key)}}
	c.Apply(s)
	for node, key := range map[string]string{"same": pair.Key, "other": other.Key} {
		r := report(node)
		r.Facts.ListenTLS, r.Facts.Modules, r.Facts.NginxVersion = []string{"443"}, []string{"http_ssl_module"}, "1.22.1"
		mustSync(t, c, r)
		if shown, err := c.DesiredTree("shared", node); err != nil || !nginxconf.IsHidden(shown.File("certs/acme.shop.key").Data) {
			t.Fatalf("%v, or the key of %s is shown", err, node)
		}
		desired := c.fleets["shared"].nodes[node].rendering.tree
		if f := desired.File("certs/acme.shop.key"); f == nil || f.Data != pair.Key || f.Perm() != 0o600 {
			t.Fatalf("%s gets the key %v", node, f)
		}
		tree := &protocol.NodeTree{}
		for _, f := range desired.Files {
			data := f.Data
			if strings.HasSuffix(f.Path, ".key") {
				data = nginxconf.Shown(f.Path, key) // as an agent uploads it
			}
			tree.Files = append(tree.Files, protocol.NodeFile{Path: f.Path, Data: []byte(data)})
		}
		c.fleets["shared"].nodes[node].tree = tree
	}
	diff, err := c.Diff("shared", "same", Desired)
	if err != nil || len(diff) != 0 {
		t.Errorf("a node that has the key differs: %v %v", diff, err)
	}
	diff, err = c.Diff("shared", Desired, "other")
	if err != nil || len(diff) != 1 || diff[0].Path != "certs/acme.shop.key" || strings.Contains(diff[0].Diff, "BEGIN") {
		t.Errorf("a node with another key: %v %v", diff, err)
	}
	var archive bytes.Buffer
	if err := c.Download("shared", "other", &archive); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(&archive)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil || strings.Contains(string(text), "PRIVATE KEY") || !strings.Contains(string(text), "sluice_hidden_secret sha256:") {
		t.Errorf("the download has the key, or not its fingerprint: %v", err)
	}
}
