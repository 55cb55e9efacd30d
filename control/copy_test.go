package control

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func someCopy() Copy {
	return Copy{
		SavedAt: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
		Objects: []gateway.Object{
			&gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Hosts: []string{"shop.test"}}},
			&gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "acme", Name: "api"},
				Spec: gateway.UpstreamSpec{Discover: []gateway.Discover{{Etcd: &gateway.EtcdDiscover{Prefix: "/api/"}}}}},
			&gateway.Certificate{Meta: gateway.Meta{Kind: gateway.KindCertificate, Tenant: "acme", Name: "web"}, Spec: gateway.CertificateSpec{Key: "private"}},
		},
		Sets: []gateway.EndpointSet{{
			SetKey:    gateway.Discover{Etcd: &gateway.EtcdDiscover{Prefix: "/api/"}}.SetKey(gateway.UpstreamKey{Tenant: "acme", Name: "api"}),
			Endpoints: []gateway.SourceEndpoint{{Address: "10.0.0.1:80", Weight: 1}},
		}},
	}
}

func TestCopyComesBack(t *testing.T) {
	name := filepath.Join(t.TempDir(), "copy")
	if err := someCopy().Write(name); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v: it holds private keys", info.Mode(), err)
	}
	c, err := ReadCopy(name)
	if err != nil {
		t.Fatal(err)
	}
	if !c.SavedAt.Equal(someCopy().SavedAt) || len(c.Objects) != 3 || len(c.Sets) != 1 {
		t.Fatalf("%+v", c)
	}
	if key := c.Objects[2].(*gateway.Certificate).Spec.Key; string(key) != "private" {
		t.Errorf("the key came back as %q", string(key))
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(name), ".copy-*")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v left behind", left, err)
	}
}

// Whatever happens to the file, it is refused and the reason told, or read whole.
func TestDamagedCopy(t *testing.T) {
	name := filepath.Join(t.TempDir(), "copy")
	if _, err := ReadCopy(name); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) {
		t.Errorf("no file: %v", err)
	}
	if err := someCopy().Write(name); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"empty":                    "",
		"cut":                      string(good[:len(good)-7]),
		"cut in the header":        string(good[:20]),
		"changed":                  strings.Replace(string(good), "10.0.0.1", "10.0.0.2", 1),
		"longer":                   string(good) + "x",
		"of another version":       strings.Replace(string(good), copyFormat, "sluice-local-copy/9", 1),
		"zeros after a power loss": string(make([]byte, len(good))),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadCopy(name); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range good { // no single changed byte of the content passes
		if i <= bytes.IndexByte(good, '\n') {
			continue
		}
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := parseCopy(bad); err == nil {
			t.Fatalf("byte %d was changed, and nobody noticed", i)
		}
	}
}

// A loop that begins with a copy decides what the one decided that it was taken from, and what
// comes later wins.
func TestRestore(t *testing.T) {
	set := someCopy().Sets[0]
	first, second := New(Config{}), New(Config{})
	first.SetObjects(someCopy().Objects)
	first.SetEndpoints(set)
	first.step(time.Now())
	name := filepath.Join(t.TempDir(), "copy")
	if err := first.Copy().Write(name); err != nil {
		t.Fatal(err)
	}
	c, err := ReadCopy(name)
	if err != nil {
		t.Fatal(err)
	}
	fresh := set
	fresh.Endpoints = []gateway.SourceEndpoint{{Address: "10.0.0.9:80", Weight: 1}}
	second.SetEndpoints(fresh) // a source that was quicker
	second.Restore(c)
	second.step(time.Now())
	if up := second.Snapshot().Upstream(set.Upstream); up == nil || len(up.Endpoints) != 1 || up.Endpoints[0].Address != "10.0.0.9:80" {
		t.Fatalf("%+v", up)
	}
	second.SetEndpoints(set)
	second.step(time.Now())
	if a, b := first.Snapshot().Digest, second.Snapshot().Digest; a != b {
		t.Errorf("digests %s and %s", a, b)
	}
}

// Keep writes after changes, once for what changed and back, and at the end.
func TestKeep(t *testing.T) {
	name := filepath.Join(t.TempDir(), "copy")
	l := New(Config{})
	l.SetObjects(someCopy().Objects)
	l.step(time.Now())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Keep(ctx, name, func(err error) { t.Error(err) }) }()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := ReadCopy(name); err == nil && len(c.Sets) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no copy was written")
		}
	}
	l.SetEndpoints(someCopy().Sets[0])
	l.step(time.Now())
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if c, err := ReadCopy(name); err != nil || len(c.Sets) != 1 {
		t.Errorf("the last copy: %+v, %v", c, err)
	}
}
