package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestSelfSigned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	command := func(args ...string) error {
		var out bytes.Buffer
		return run(t.Context(), append([]string{"cert", "self-signed", "--cert-file", cert, "--key-file", key}, args...), nil, &out, &out)
	}
	if err := command("a.example.com", "not a name"); err == nil || !strings.Contains(err.Error(), `"not a name"`) {
		t.Errorf("bad name: %v", err)
	}
	if err := command("a.example.com", "*.b.example.com", "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	chain := read(cert)
	pair, err := gateway.ParseCertificate(chain, gateway.Secret(read(key)))
	if err != nil {
		t.Fatal(err)
	}
	if pair.Leaf.VerifyHostname("x.b.example.com") != nil || pair.Leaf.VerifyHostname("127.0.0.1") != nil {
		t.Errorf("names: %v %v", pair.Leaf.DNSNames, pair.Leaf.IPAddresses)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
	if err := command("--keep", "other.example.com"); err != nil || read(cert) != chain {
		t.Errorf("--keep did not keep the files: %v", err)
	}
	if err := command("other.example.com"); err != nil || read(cert) == chain {
		t.Errorf("the certificate was not made anew: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
