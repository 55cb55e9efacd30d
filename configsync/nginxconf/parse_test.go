package nginxconf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseWords(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string // the words of the first directive
	}{
		{"plain", "listen 80;", []string{"listen", "80"}},
		{"no blank before the end", "a b;c d;", []string{"a", "b"}},
		{"double quotes", `log_format x "a; {b}";`, []string{"log_format", "x", "a; {b}"}},
		{"single quotes", `a 'b "c" # d';`, []string{"a", `b "c" # d`}},
		{"escaped quote", `a "b\"c";`, []string{"a", `b"c`}},
		{"escapes", `a "\t\r\n\\\'\d";`, []string{"a", "\t\r\n\\'\\d"}},
		{"escaped semicolon stays", `rewrite a\;b c;`, []string{"rewrite", `a\;b`, "c"}},
		{"escaped blank stays", `a b\ c;`, []string{"a", `b\ c`}},
		{"quote inside a word", `a b"c;`, []string{"a", `b"c`}},
		{"variable in braces", `a ${b}c;`, []string{"a", "${b}c"}},
		{"brace ends a word", `server{listen 1;}`, []string{"server"}},
		{"comment between words", "a # b;\n c;", []string{"a", "c"}},
		{"hash inside a word", "a b#c;", []string{"a", "b#c"}},
		{"bracket after a quote", `if ($a = "b") {}`, []string{"if", "($a", "=", "b", ")"}},
		{"percent", "split_clients $a $b { 50% x; }", []string{"split_clients", "$a", "$b"}},
		{"line end in quotes", "a \"b\nc\";", []string{"a", "b\nc"}},
		{"brace at the end of a word", "a b};", []string{"a", "b}"}},
		{"word that starts with a backslash", `a \#b;`, []string{"a", `\#b`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse("x.conf", c.text)
			if err != nil {
				t.Fatal(err)
			}
			got := append([]string{f.Directives[0].Name()}, f.Directives[0].Args()...)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if f.String() != c.text {
				t.Errorf("round trip gives %q", f.String())
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a b", `x.conf:1:4: unexpected end of file, expecting ";" or "{" after "b"`},
		{"a {\n b;\n", `x.conf:3:1: unexpected end of file, expecting "}" for "a" of line 1`},
		{"a;\n}\n", `x.conf:2:2: unexpected "}": no block is open`},
		{"a {\n  b\n}", `x.conf:3:1: unexpected "}": "b" of line 2 is not ended by ";"`},
		{"  ;", `x.conf:1:3: unexpected ";": a directive starts with its name`},
		{"{}", `x.conf:1:1: unexpected "{": a directive starts with its name`},
		{"a \"b;\n", `x.conf:1:3: unexpected end of file: the quote "\"" is never closed`},
		{"a 'b'c;", `x.conf:1:6: unexpected "c" after a closing quote: a blank, ";" or "{" has to follow`},
		{"a_by_lua_block { if x then {", `x.conf:1:29: unexpected end of file, expecting "}" for the Lua block "a_by_lua_block" of line 1`},
	} {
		_, err := Parse("x.conf", c.text)
		if err == nil || err.Error() != c.want {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
}

func TestParseLua(t *testing.T) {
	code := ` local s = "}" .. '}' -- }
  local l = [==[ } ]] ]==] --[[ } ]]
  local t = {a = {}, b = x[y[1]]}
  local e = "\"}" `
	text := "location / { content_by_lua_block {" + code + "} proxy_pass http://a; }"
	f, err := Parse("x.conf", text)
	if err != nil {
		t.Fatal(err)
	}
	inner := f.Directives[0].Block.Directives
	if len(inner) != 2 || inner[0].Block.Lua != code || inner[1].Name() != "proxy_pass" {
		t.Errorf("the Lua block ends in the wrong place: %+v", inner)
	}
	if f.String() != text {
		t.Errorf("round trip gives %q", f.String())
	}
}

func TestPositions(t *testing.T) {
	f, err := Parse("x.conf", "a {\n\tb c\n  d;\n}\n# end\n")
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	f.Walk(func(parents []*Directive, d *Directive) {
		for _, w := range d.Words {
			got = append(got, len(parents), w.Line, w.Col)
		}
	})
	if want := []int{0, 1, 1, 1, 2, 2, 1, 2, 4, 1, 3, 3}; !slices.Equal(got, want) {
		t.Errorf("depth, line, column: got %v, want %v", got, want)
	}
	if f.Tail != "\n# end\n" {
		t.Errorf("the tail is %q", f.Tail)
	}
}

// TestConfigs reads configurations as people write them: CRLF, no line end at the end, other
// encodings, odd quoting, Lua, Perl, one-liners.
func TestConfigs(t *testing.T) {
	names, err := filepath.Glob("testdata/configs/*.conf")
	if err != nil || len(names) < 30 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	directives := 0
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse(name, string(b))
		if err != nil {
			t.Error(err)
			continue
		}
		if f.String() != string(b) {
			t.Errorf("%s changes in a round trip", name)
		}
		f.Walk(func(_ []*Directive, d *Directive) {
			directives++
			for _, w := range d.Words {
				lines := strings.Split(string(b), "\n")
				if at := strings.Join(lines[w.Line-1:], "\n"); !strings.HasPrefix(at[w.Col-1:], w.Raw) {
					t.Errorf("%s:%d:%d is not where %q stands", name, w.Line, w.Col, w.Raw)
				}
			}
		})
	}
	if directives < 500 {
		t.Errorf("%d directives are too few to mean anything", directives)
	}
	t.Logf("figure parser_round_trips %d files goal 30 (%d directives)", len(names), directives)
}

// TestDeep: neither reading nor writing nor walking needs stack for nested blocks.
func TestDeep(t *testing.T) {
	const depth = 300_000
	text := strings.Repeat("a{", depth) + "b;" + strings.Repeat("}", depth)
	f, err := Parse("deep", text)
	if err != nil {
		t.Fatal(err)
	}
	deepest := 0
	f.Walk(func(parents []*Directive, _ *Directive) { deepest = max(deepest, len(parents)) })
	if deepest != depth || f.String() != text {
		t.Errorf("depth %d, want %d; round trip %v", deepest, depth, f.String() == text)
	}
}

// TestDebian reads every file that Debian's nginx packages bring.
func TestDebian(t *testing.T) {
	n := 0
	err := filepath.WalkDir("/etc/nginx", func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := Parse(name, string(b))
		if err != nil {
			t.Error(err)
		} else if f.String() != string(b) {
			t.Errorf("%s changes in a round trip", name)
		}
		n++
		return nil
	})
	if err != nil || n < 10 {
		t.Errorf("read %d files: %v", n, err)
	}
}

// FuzzParse: any input is refused with a position, or kept byte for byte; and writing the
// words anew with Quote gives the same words.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a;", "a { b \"c\"; } # d", `a \;{} `, "x_by_lua_block { [[}]] }", "a ${b}c 'd\\'';", "if ($a = \"b\"){}\r\n", "\xef\xbb\xbfa;"} {
		f.Add(s)
	}
	for _, pattern := range []string{"/etc/nginx/*", "testdata/configs/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			if b, err := os.ReadFile(name); err == nil {
				f.Add(string(b))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("fuzz", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz:") {
				t.Errorf("the error has no place: %v", err)
			}
			return
		}
		if c.String() != text {
			t.Fatalf("round trip of %q gives %q", text, c.String())
		}
		c.Walk(func(_ []*Directive, d *Directive) {
			words := append([]string{d.Name()}, d.Args()...)
			if slices.ContainsFunc(words, func(w string) bool { return 2*len(w) > window-8 }) {
				return // escapes may make it longer than nginx reads
			}
			again, err := Parse("again", quoteAll(words)+";")
			if err != nil {
				t.Fatalf("words %q, quoted: %v", words, err)
			}
			if got := append([]string{again.Directives[0].Name()}, again.Directives[0].Args()...); len(again.Directives) != 1 || !slices.Equal(got, words) {
				t.Fatalf("words %q, quoted, are read as %q", words, got)
			}
		})
	})
}
