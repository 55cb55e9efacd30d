package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNewRefuses(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(broken, []byte("clusters: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"nothing", Config{}, []string{`cluster "default"`, "none of inCluster, kubeconfig and token"}},
		{"both", Config{Name: "east", InCluster: true, Kubeconfig: "x"}, []string{`cluster "east"`, "more than one"}},
		{"token over http", Config{Token: &Token{Server: "http://a", TokenFile: missing}}, []string{`server "http://a"`, "https://"}},
		{"no token", Config{Token: &Token{Server: "https://a", TokenFile: missing}}, []string{"read tokenFile", "no such file"}},
		{"empty token", Config{Token: &Token{Server: "https://a", TokenFile: os.DevNull}}, []string{"is empty"}},
		{"no authority", Config{Token: &Token{Server: "https://a", TokenFile: broken, CAFile: missing}}, []string{"read caFile", "no such file"}},
		{"broken authority", Config{Token: &Token{Server: "https://a", TokenFile: broken, CAFile: broken}}, []string{broken, "no certificate in PEM"}},
		{"no file", Config{Kubeconfig: missing}, []string{missing, "no such file"}},
		{"broken file", Config{Kubeconfig: broken}, []string{broken, "yaml"}},
		{"not in a pod", Config{InCluster: true}, []string{"the pod's own account"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.cfg)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}
