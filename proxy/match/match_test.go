package match

import (
	"math/rand/v2"
	"strings"
	"testing"
)

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
