package auth

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFirstStartMakesATokenAndLaterStartsKeepIt(t *testing.T) {
	dir := t.TempDir()
	first, created, err := LoadOrCreate(dir)
	if err != nil || !created || len(first) != 43 {
		t.Fatalf("first start: %q, created %v, %v", first, created, err)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("file: %v, %v", info, err)
	}
	second, created, err := LoadOrCreate(dir)
	if err != nil || created || second != first {
		t.Fatalf("second start: %q, created %v, %v", second, created, err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Fatalf("left behind: %v", entries)
	}
}

func TestUnusableTokenFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := LoadOrCreate(dir)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "delete the file") {
		t.Fatalf("err = %v", err)
	}
	if _, _, err := LoadOrCreate(filepath.Join(dir, "missing")); err == nil {
		t.Fatal("a missing data directory is accepted")
	}
	if _, err := NewTokens("admin", "short"); err == nil {
		t.Fatal("a short token is accepted")
	}
}

func TestRequire(t *testing.T) {
	const secret = "0123456789abcdef0123"
	tokens, err := NewTokens("admin", secret)
	if err != nil {
		t.Fatal(err)
	}
	h := tokens.Require(
		func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusUnauthorized)
		},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who, ok := From(r.Context())
			if !ok {
				t.Error("no identity in the context")
			}
			_, _ = w.Write([]byte(who.Name))
		}))
	for _, c := range []struct {
		field, body string
		status      int
	}{
		{"Bearer " + secret, "admin", 200},
		{"bearer  " + secret + " ", "admin", 200},
		{"", ErrMissing.Error() + "\n", 401},
		{"Bearer", ErrMissing.Error() + "\n", 401},
		{"Basic " + secret, ErrMissing.Error() + "\n", 401},
		{"Bearer " + secret + "x", ErrWrong.Error() + "\n", 401},
		{"Bearer " + secret[1:], ErrWrong.Error() + "\n", 401},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", c.field)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%q: %d %q, want %d %q", c.field, w.Code, w.Body, c.status, c.body)
		}
	}
}
