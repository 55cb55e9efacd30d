package match

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ path, forward, match string }{
		{"/", "/", "/"},
		{"/a/b", "/a/b", "/a/b"},
		{"/a/", "/a/", "/a/"},
		{"/a.b/.c", "/a.b/.c", "/a.b/.c"},
		{"/a/...", "/a/...", "/a/..."},
		{"/a/./b", "/a/b", "/a/b"},
		{"/a/../b", "/b", "/b"},
		{"/a/b/..", "/a/", "/a/"},
		{"/a/.", "/a/", "/a/"},
		{"/a/..", "/", "/"},
		{"/%61dmin", "/admin", "/admin"},
		{"/%41", "/A", "/A"},
		{"/%2e/a", "/a", "/a"},
		{"/x/%2e%2E/a", "/a", "/a"},
		{"/x/.%2e/a", "/a", "/a"},
		{"//a", "//a", "/a"},
		{"/a//b", "/a//b", "/a/b"},
		{"/a%2fb", "/a%2fb", "/a/b"},
		{"/%2Fadmin", "/%2Fadmin", "/admin"},
		{"/a;x=1/b", "/a;x=1/b", "/a/b"},
		{"/a%3bx/b", "/a%3bx/b", "/a/b"},
		{"/a;", "/a;", "/a"},
		{"/%40me", "/%40me", "/@me"},
		{"/%2561", "/%2561", "/%61"},
		{"/caf%C3%A9", "/caf%C3%A9", "/caf\xc3\xa9"},
		{"/a%20b", "/a%20b", "/a b"},
	} {
		forward, match, _, err := Normalise([]byte(c.path), nil)
		if err != nil || string(forward) != c.forward || string(match) != c.match {
			t.Errorf("%s: forward %q, match %q, error %v", c.path, forward, match, err)
		}
	}
	for _, path := range []string{
		"/..", "/../a", "/a/../../b", "/a//../b", "//..", "/..;/a", "/a/..;x=1/b", "/.;/a",
		"/..%2fa", "/a/..%2f..%2fb", "/a%2f../b", "/a%2f..%2fb", "/%2e%2e%2fa", "/a%2f.%2fb", "/..%3b/a",
		"/a\\b", "/a%5cb", "/..%5ca", "/a%00", "/a%0d%0ab", "/%7f",
		"/%252e%252e/a", "/a/.%252e/b", "/a%252f%252e%252e%252fb", "/%2500", "/%c0%ae%c0%ae/a", "/%e0%80%af", "/%f0%80%80%af",
	} {
		if forward, match, _, err := Normalise([]byte(path), nil); err == nil {
			t.Errorf("%s: forward %q, match %q, want an error", path, forward, match)
		}
	}
}

// Whatever comes in, no dot segment comes out, and the forward form is stable.
func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"/a/../b", "/%2e%2e/a", "/a%2f..;/b", "//a//./b", "/a;b/..;c"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, path []byte) {
		if len(path) == 0 || path[0] != '/' || !validPercent(path) {
			return
		}
		forward, match, _, err := Normalise(path, nil)
		if err != nil {
			return
		}
		for _, form := range [][]byte{forward, match} {
			for seg := range bytes.SplitSeq(form, []byte("/")) {
				if string(seg) == "." || string(seg) == ".." {
					t.Fatalf("%q: forward %q, match %q", path, forward, match)
				}
			}
		}
		if bytes.Contains(match, []byte("//")) || len(match) == 0 || match[0] != '/' {
			t.Fatalf("%q: match %q", path, match)
		}
		f2, m2, _, err := Normalise(bytes.Clone(forward), nil)
		if err != nil || !bytes.Equal(f2, forward) || !bytes.Equal(m2, match) {
			t.Fatalf("%q: %q is not stable: %q, %v", path, forward, f2, err)
		}
	})
}

func validPercent(p []byte) bool {
	for i, c := range p {
		if c == '%' && (i+2 >= len(p) || !strings.ContainsRune("0123456789abcdefABCDEF", rune(p[i+1])) ||
			!strings.ContainsRune("0123456789abcdefABCDEF", rune(p[i+2]))) {
			return false
		}
	}
	return true
}

// find is the dumb reference: the exact path, else the longest prefix of whole elements.
func find(exact, prefixes []string, path string) string {
	for _, e := range exact {
		if e == path {
			return "=" + e
		}
	}
	best := ""
	for _, p := range prefixes {
		if (p == "/" || path == p || strings.HasPrefix(path, p+"/")) && len(p) > len(best) {
			best = p
		}
	}
	return best
}

func TestPathsAgainstReference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	path := func() string {
		var b strings.Builder
		for range 1 + rnd.IntN(4) {
			b.WriteString([]string{"/a", "/b", "/ab", "/abc"}[rnd.IntN(4)])
		}
		return b.String()
	}
	for range 300 {
		var p Paths[string]
		var exact, prefixes []string
		for range rnd.IntN(5) {
			exact = append(exact, path())
			p.AddExact(exact[len(exact)-1], "="+exact[len(exact)-1])
		}
		for range rnd.IntN(20) {
			prefixes = append(prefixes, path())
			p.AddPrefix(prefixes[len(prefixes)-1], prefixes[len(prefixes)-1])
		}
		if rnd.IntN(2) == 0 {
			prefixes = append(prefixes, "/")
			p.AddPrefix("/", "/")
		}
		for range 50 {
			want := path()
			got, ok := p.Find([]byte(want))
			if ref := find(exact, prefixes, want); got != ref || ok != (ref != "") {
				t.Fatalf("%s in exact %v, prefixes %v: got %q, %v, want %q", want, exact, prefixes, got, ok, ref)
			}
		}
	}
}

func TestHosts(t *testing.T) {
	var h Hosts[string]
	for _, n := range []string{"shop.test", "*.shop.test", "*.a.shop.test", "[::1]"} {
		h.Add(n, n)
	}
	check := func(host, want string) {
		t.Helper()
		if got, ok := h.Find([]byte(host), nil); got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", host, got, ok, want)
		}
	}
	check("shop.test", "shop.test")
	check("SHOP.Test", "shop.test")
	check("shop.test.", "shop.test")
	check("x.shop.test", "*.shop.test")
	check("y.x.shop.test", "*.shop.test")
	check("x.a.shop.test", "*.a.shop.test")
	check("a.shop.test", "*.shop.test")
	check("xshop.test", "")
	check("[::1]", "[::1]")
	check("", "")
	h.Add("*", "*")
	check("other.test", "*")
	check("", "*")
}

func TestFindAllocatesNothing(t *testing.T) {
	var h Hosts[string]
	h.Add("*.shop.test", "w")
	var p Paths[string]
	p.AddPrefix("/a", "a")
	host, path, scratch := []byte("X.shop.test"), []byte("/x/../a/b"), make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := h.Find(host, scratch); !ok {
			t.Fatal("host not found")
		}
		_, m, _, err := Normalise(path, scratch)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Find(m); !ok {
			t.Fatal("path not found")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A path of thousands of elements costs no more than the longest rule allows.
func BenchmarkFindHostile(b *testing.B) {
	var p Paths[int]
	for i := range 100 {
		p.AddPrefix("/api/v"+strings.Repeat("x", i), i)
	}
	path := []byte(strings.Repeat("/a", 4000))
	b.ReportAllocs()
	for b.Loop() {
		p.Find(path)
	}
}
