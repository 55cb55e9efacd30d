package match

import (
	"bytes"
	"testing"
)

func TestAfter(t *testing.T) {
	for _, c := range []struct{ path, prefix, want string }{
		{"/api", "/api", ""},
		{"/api/", "/api", "/"},
		{"/api/x", "/api", "/x"},
		{"/api/x%20y%2Fz", "/api", "/x%20y%2Fz"},
		{"/%61pi/x", "/api", "/x"},
		{"//api//x", "/api", "//x"},
		{"/%2fapi/x", "/api", "/x"},
		{"/api%2fx", "/api", "%2fx"},
		{"/api;v=1/x;y=2", "/api", "/x;y=2"},
		{"/;a/api;v=1", "/api", ""},
		{"/a//b;x//c", "/a/b", "//c"},
		{"/a%2Fb%2F%2Fc", "/a/b", "%2F%2Fc"},
		{"/x/../api/y", "/api", "/y"},
		{"/a@b/x", "/a@b", "/x"},
		{"/a%40b/x", "/a@b", "/x"},
		{"/", "", "/"},
		{"//x", "", "//x"},
		{"/%2fx", "", "/%2fx"},
	} {
		forward, matched, _, err := Normalise([]byte(c.path), nil)
		if err != nil || !bytes.HasPrefix(matched, []byte(c.prefix)) {
			t.Fatalf("%s: %s, %v", c.path, matched, err)
		}
		if got := string(After(forward, []byte(c.prefix))); got != c.want {
			t.Errorf("after %s in %s is %q, want %q", c.prefix, c.path, got, c.want)
		}
	}
}

// FuzzAfter: what follows the prefix means what follows it in the match form.
func FuzzAfter(f *testing.F) {
	f.Add("/api/x", 4)
	f.Add("//a;b/%2fc%2F/d;e", 4)
	f.Add("/a/%3b/;/b", 6)
	f.Fuzz(func(t *testing.T, path string, n int) {
		if path == "" || path[0] != '/' {
			return
		}
		for i := 0; i < len(path); i++ { // http1 has checked these
			if path[i] == '%' && (i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2])) {
				return
			}
		}
		forward, matched, _, err := Normalise([]byte(path), nil)
		if err != nil || n < 0 || n > len(matched) || n < len(matched) && matched[n] != '/' || n > 0 && matched[n-1] == '/' {
			return
		}
		rest := After(forward, matched[:n])
		if len(rest) == 0 {
			if n != len(matched) {
				t.Fatalf("nothing follows %q in %q", matched[:n], forward)
			}
			return
		}
		if rest[0] != '/' {
			rest = append([]byte("/"), rest[3:]...) // it was %2f
		}
		_, again, _, err := Normalise(rest, nil)
		if err != nil || !bytes.Equal(again, matched[n:]) {
			t.Fatalf("%q follows %q in %q, which is %q, want %q (%v)", rest, matched[:n], forward, again, matched[n:], err)
		}
	})
}
