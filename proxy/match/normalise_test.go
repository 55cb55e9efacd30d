package match

import (
	"bytes"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"testing"
)

// The table of docs/paths.md is what Normalise does.
func TestNormaliseDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/paths.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.HasPrefix(cells[1], " `/") {
			continue
		}
		rows++
		var text [3]string
		for i := range text {
			text[i] = strings.Trim(cells[i+1], " `")
		}
		want := strings.NewReplacer(`\xc0`, "\xc0", `\xc1`, "\xc1").Replace(text[2])
		forward, match, _, err := Normalise([]byte(text[0]), nil)
		if text[1] == "refused" {
			if err == nil {
				t.Errorf("%s: forward %q, match %q, want an error", text[0], forward, match)
			}
		} else if err != nil || string(forward) != text[1] || string(match) != want {
			t.Errorf("%s: forward %q, match %q, error %v", text[0], forward, match, err)
		}
	}
	if rows < 60 {
		t.Errorf("%d rows", rows)
	}
}

// liberal is the most liberal origin: it decodes once, drops parameters and empty segments,
// and then resolves dot segments.
func liberal(path string) (segments []string) {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return []string{"malformed"}
	}
	for seg := range strings.SplitSeq(decoded, "/") {
		seg, _, _ = strings.Cut(seg, ";")
		switch seg {
		case "", ".":
		case "..":
			segments = segments[:max(len(segments)-1, 0)]
		default:
			segments = append(segments, seg)
		}
	}
	return segments
}

// What the rules see is what the most liberal origin sees in what it gets, whatever the
// path is made of, and nothing changes when it is normalised again.
func TestNormaliseAgainstOrigins(t *testing.T) {
	parts := []string{"/", "/", "/", "//", ".", "..", "%2e", "%2E", "%2f", "%2F", ";", ";x=1", "%3b", "a", "admin", "%61", "%41",
		"%25", "%252e", "%252f", "%5c", "%00", "%c0%ae", "%C3%A9", "%20", "+", "~", "%7e", "...", "\\"}
	r := rand.New(rand.NewPCG(3, 4))
	accepted := 0
	for range 200_000 {
		path := "/"
		for range r.IntN(8) {
			path += parts[r.IntN(len(parts))]
		}
		forward, match, _, err := Normalise([]byte(path), nil)
		if err != nil {
			continue
		}
		accepted++
		if got, want := strings.Join(strings.FieldsFunc(string(match), slash), "/"), strings.Join(liberal(string(forward)), "/"); got != want {
			t.Fatalf("%s is forwarded as %s and matched as %q; an origin may see %q", path, forward, match, want)
		}
		stable(t, path, forward, match)
	}
	if accepted < 10_000 {
		t.Errorf("only %d paths were accepted", accepted)
	}
}

func slash(r rune) bool { return r == '/' }

// stable says that normalising again changes nothing.
func stable(t *testing.T, path string, forward, match []byte) {
	t.Helper()
	f2, m2, _, err := Normalise(bytes.Clone(forward), nil)
	if err != nil || !bytes.Equal(f2, forward) || !bytes.Equal(m2, match) {
		t.Fatalf("%q: %q, %q is not stable: %q, %q, %v", path, forward, match, f2, m2, err)
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
		stable(t, string(path), forward, match)
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
