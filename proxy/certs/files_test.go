package certs

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/certtest"
)

func TestFilesAreReadAgain(t *testing.T) {
	ca, dir := certtest.NewCA(t, "ca", time.Now()), t.TempDir()
	cert, key := ca.Issue(t, time.Now(), "a.example.com").Write(t, dir, "a")
	var log strings.Builder
	f, err := LoadFiles(FilePair{}, []FilePair{{cert, key}}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(func() *Table { return nil }, f, nil)
	first := s.find("a.example.com")
	f.Check()
	if s.find("a.example.com") != first || first == nil {
		t.Fatal("nothing changed, and another certificate is in force")
	}
	b := ca.Issue(t, time.Now(), "b.example.com")
	b.Write(t, dir, "a")
	f.Check()
	second := s.find("b.example.com")
	if second == nil || s.find("a.example.com") != nil || len(f.Problems()) > 0 {
		t.Fatal("the new certificate is not in force")
	}

	// Whatever cannot be used leaves the one from before, and is said once.
	good := ca.Issue(t, time.Now(), "c.example.com")
	for name, breakIt := range map[string]func(){
		"no PEM":      func() { write(t, cert, "x") },
		"another key": func() { write(t, key, ca.Issue(t, time.Now(), "c.example.com").Key) },
		"gone":        func() { _ = os.Remove(cert) },
	} {
		b.Write(t, dir, "a")
		f.Check()
		second = s.find("b.example.com")
		log.Reset()
		breakIt()
		for range 3 {
			f.Check()
		}
		p := f.Problems()
		if s.find("b.example.com") != second || len(p) != 1 || !strings.Contains(p[0].Message, filepath.Base(cert)) {
			t.Errorf("%s: problems %+v", name, p)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%s: %d errors logged, want one:\n%s", name, n, &log)
		}
		if strings.Contains(log.String(), "PRIVATE") {
			t.Error("the log holds a key")
		}
	}
	good.Write(t, dir, "a")
	f.Check()
	if s.find("c.example.com") == nil || len(f.Problems()) > 0 {
		t.Error("a good pair does not settle the problem")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBadFilesEndTheStart(t *testing.T) {
	ca, dir := certtest.NewCA(t, "ca", time.Now()), t.TempDir()
	cert, key := ca.Issue(t, time.Now(), "a.example.com").Write(t, dir, "a")
	_, other := ca.Issue(t, time.Now(), "b.example.com").Write(t, dir, "b")
	for _, c := range []struct {
		pair FilePair
		want string
	}{{FilePair{cert, other}, "is not that of the first certificate"}, {FilePair{dir + "/none", key}, "no such file"}, {FilePair{key, key}, "a private key stands among the certificates"}} {
		if _, err := LoadFiles(FilePair{}, []FilePair{{cert, key}, c.pair}, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.pair, err)
		}
	}
}
