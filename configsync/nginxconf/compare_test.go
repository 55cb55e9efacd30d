package nginxconf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// hunkLines are the hunks of a comparison as people would write them down.
func hunkLines(hunks []gateway.Hunk) string {
	var b strings.Builder
	for _, h := range hunks {
		fmt.Fprintf(&b, "%s %s: %s -> %s\n", h.Change, strings.Join(h.Where, " > "), h.Old, h.New)
	}
	return b.String()
}

func side(text string) Side { return NewSide("x.conf", text, nil) }

func TestCompare(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"nothing", "a b;", "a b;", ""},
		{"comments, white space and quoting", "a  \"b\"; # x\nc {\n}", "a b;\n\nc{}", "text :  -> \n"},
		{"a value", "server { server_name s; location /api { proxy_read_timeout 60s; } }", "server { server_name s; location /api { proxy_read_timeout 5m; } }",
			"changed server s > location /api: proxy_read_timeout 60s; -> proxy_read_timeout 5m;\n"},
		{"added and removed", "location / { a 1; b 2; }", "location / { b 2; c 3; }", "removed location /: a 1; -> \nadded location /:  -> c 3;\n"},
		{"settings in another order", "location / { client_max_body_size 1m; proxy_pass http://a; }", "location / { proxy_pass http://a; client_max_body_size 1m; }", "text :  -> \n"},
		{"rewrites in another order", "location / { set $a 1; rewrite a b; }", "location / { rewrite a b; set $a 1; }", "moved location /: set $a 1; -> set $a 1;\n"},
		{"allow and deny", "allow all; deny 10.0.0.1;", "deny 10.0.0.1; allow all;", "moved : allow all; -> allow all;\n"},
		{"servers of an upstream", "upstream u { server 10.0.0.1:1; server 10.0.0.2:1 weight=2; }", "upstream u { server 10.0.0.2:1 weight=2; server 10.0.0.1:1; }", "text :  -> \n"},
		{"servers behind a hash", "upstream u { ip_hash; server a:1; server b:1; }", "upstream u { ip_hash; server b:1; server a:1; }", "moved upstream u: server a:1; -> server a:1;\n"},
		{"consistent hash", "upstream u { hash $uri consistent; server a:1; server b:1; }", "upstream u { hash $uri consistent; server b:1; server a:1; }", "text :  -> \n"},
		{"an endpoint goes down", "upstream u { server a:1; server b:1; }", "upstream u { server a:1 down; server b:1; }", "changed upstream u: server a:1; -> server a:1 down;\n"},
		{"another endpoint", "upstream u { server a:1; }", "upstream u { server b:1; }", "removed upstream u: server a:1; -> \nadded upstream u:  -> server b:1;\n"},
		{"server blocks", "server { server_name a; } server { server_name b; }", "server { server_name b; } server { server_name a; }",
			"moved : server { server_name a; } -> server { server_name a; }\n"},
		{"prefix locations", "location /a { a 1; } location /b { b 1; }", "location /b { b 1; } location /a { a 1; }", "text :  -> \n"},
		{"regular expressions", "location ~ a {} location ~ b {}", "location ~ b {} location ~ a {}", "moved : location ~ a {} -> location ~ a {}\n"},
		{"entries of a map", "map $a $b { x 1; y 2; }", "map $a $b { y 2; x 1; }", "text :  -> \n"},
		{"patterns of a map", "map $a $b { ~x 1; ~y 2; }", "map $a $b { ~y 2; ~x 1; }", "moved map $a $b: ~x 1; -> ~x 1;\n"},
		{"split_clients", "split_clients $a $b { 10% x; * y; }", "split_clients $a $b { * y; 10% x; }", "moved split_clients $a $b: 10% x; -> 10% x;\n"},
		{"headers", "proxy_set_header A 1; proxy_set_header B 2;", "proxy_set_header B 3; proxy_set_header A 1;", "changed : proxy_set_header B 2; -> proxy_set_header B 3;\n"},
		{"an include moves", "include a; server { server_name s; }", "server { server_name s; } include a;", "moved : include a; -> include a;\n"},
		{"Lua", "content_by_lua_block { a() }", "content_by_lua_block { b() }", "changed : content_by_lua_block { a() } -> content_by_lua_block { b() }\n"},
		{"a server's name", "server { listen 1; server_name a; }", "server { listen 1; server_name b; }", "changed server a: server_name a; -> server_name b;\n"},
		{"two servers of one name", "server { server_name a; x 1; } server { server_name a; y 1; }", "server { server_name a; x 1; } server { server_name a; y 2; }", "changed server a (2): y 1; -> y 2;\n"},
		{"a file that is new", "", "a 1;\nb { c 2; }", "added :  -> a 1;\nadded :  -> b { c 2; }\n"},
		{"unreadable", "a 1;", "a 1", "unreadable : a 1; -> a 1\n"},
		{"too deep", "a 1;", strings.Repeat("a{", 80) + strings.Repeat("}", 80), "unreadable : a 1; -> " + strings.Repeat("a{", 80) + strings.Repeat("}", 80) + "\n"},
		{"a duplicate", "gzip_types a; x 1;", "gzip_types a; x 1; x 1;", "added :  -> x 1;\n"},
	} {
		if got := hunkLines(Compare("x.conf", side(c.old), side(c.new))); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
		same := side(c.old).Normal() == side(c.new).Normal()
		if meaning := c.want != "" && !strings.HasPrefix(c.want, "text"); same == meaning {
			t.Errorf("%s: the normal forms are equal: %v", c.name, same)
		}
	}
}

// TestHunkIdentity: the same edit has the same name on nodes whose folders and addresses
// differ, and another edit has another one.
func TestHunkIdentity(t *testing.T) {
	node := func(dir, listen, timeout string) []gateway.Hunk {
		places := PlacesOf(gateway.NodeFacts{ConfPath: dir + "/nginx.conf", TreePath: dir + "/sluice/current", Listen: []string{listen}}, "")
		text := "server { listen " + listen + "; error_log " + dir + "/e.log; proxy_read_timeout %s; }"
		path := dir + "/nginx.conf"
		return Compare(path, NewSide(path, fmt.Sprintf(text, "60s"), places), NewSide(path, fmt.Sprintf("# edited\n"+text, timeout), places))
	}
	a, b, c := node("/etc/nginx", "10.0.0.1:80", "5m"), node("/opt/n2", "10.0.0.12:80", "5m"), node("/etc/nginx", "10.0.0.1:80", "6m")
	if len(a) != 1 || len(b) != 1 || len(c) != 1 || a[0].ID != b[0].ID || a[0].ID == c[0].ID || a[0].Path == b[0].Path {
		t.Errorf("hunks %+v\n%+v\n%+v", a, b, c)
	}
	p := Places{{"10.0.0.1:80", "{a}"}}
	if got := p.Name("10.0.0.1:80 10.0.0.1:8080 110.0.0.1:80 x=10.0.0.1:80;"); got != "{a} 10.0.0.1:8080 110.0.0.1:80 x={a};" {
		t.Errorf("names: %s", got)
	}
}

func TestSplice(t *testing.T) {
	const old = "server {\n    server_name s;\n    location / {\n        a 1;\n        b 2; # two\n        c 3;\n    }\n}\n"
	edited := strings.NewReplacer("a 1;", "a 9;", "c 3;", "c 3;\n        d 4;", "b 2; # two\n", "").Replace(old)
	hunks := Compare("x", side(old), side(edited))
	if len(hunks) != 3 {
		t.Fatalf("%d hunks: %s", len(hunks), hunkLines(hunks))
	}
	for _, c := range []struct {
		name, base, keep, want, conflicts string
	}{
		{"all", old, "abd", edited, ""},
		{"none", old, "", old, ""},
		{"one", old, "a", strings.ReplaceAll(old, "a 1;", "a 9;"), ""},
		{"added", old, "d", strings.ReplaceAll(old, "c 3;", "c 3;\n        d 4;"), ""},
		{"onto another base", "server { server_name s; location / { z 1; a 1; c 3; } }", "ad", "server { server_name s; location / { z 1; a 9; c 3;\n        d 4; } }", ""},
		{"what base has already", "server { server_name s; location / { a 9; d 4; } }", "ad", "server { server_name s; location / { a 9; d 4; } }", ""},
		{"another value in base", "server { server_name s; location / { a 2; d 5; } }", "ad", "server { server_name s; location / { a 2; d 5; } }", "ad"},
		{"no such block", "server { server_name s; }", "d", "server { server_name s; }", "d"},
		{"base is broken", "server {", "d", "server {", "d"},
	} {
		got, conflicts := Splice("x", side(c.base), side(old), side(edited), func(h gateway.Hunk) bool { return strings.Contains(c.keep, h.Directive) })
		names := ""
		for _, h := range conflicts {
			names += h.Directive
		}
		if got != c.want || names != c.conflicts {
			t.Errorf("%s: got\n%s(conflicts %q), want\n%s(conflicts %q)", c.name, got, names, c.want, c.conflicts)
		}
	}
}

// TestSplicePlaces: text from another node comes with this node's values.
func TestSplicePlaces(t *testing.T) {
	here, there := Places{{"/etc/nginx", "{conf}"}}, Places{{"/opt/n", "{conf}"}}
	majority := "root /opt/n/a; index x;"
	if got := Compare("x", NewSide("x", majority, there), NewSide("x", "root /etc/nginx/a; index x;", here)); len(got) != 0 {
		t.Errorf("nodes that differ in nothing but folders: %s", hunkLines(got))
	}
	mine := NewSide("x", "root /etc/nginx/b; index y;", here)
	base := NewSide("x", here.Fill(there.Name(majority)), here)
	got, conflicts := Splice("x", base, NewSide("x", majority, there), mine, func(h gateway.Hunk) bool { return h.Directive == "index" })
	if got != "root /etc/nginx/a; index y;" || len(conflicts) > 0 {
		t.Errorf("got %q, conflicts %v", got, conflicts)
	}
}

// FuzzCompare: comparing never panics, equal meaning gives no hunk that has one, and splicing
// all hunks onto the old text means the new one.
func FuzzCompare(f *testing.F) {
	names, err := filepath.Glob("testdata/configs/*.conf")
	if err != nil || len(names) == 0 {
		f.Fatal(err)
	}
	last := ""
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b), strings.Replace(string(b), "1", "2", 3))
		f.Add(last, string(b))
		last = string(b)
	}
	f.Add("a 1;b{c 2;}", "b{c 3;}a 1;")
	f.Fuzz(func(t *testing.T, before, after string) {
		old, new := side(before), side(after)
		meaning := false
		seen := map[string]bool{}
		for _, h := range Compare("x.conf", old, new) {
			meaning = meaning || h.Meaning()
			if seen[h.ID] || h.Path != "x.conf" {
				t.Fatalf("hunk %+v has no identity of its own", h)
			}
			seen[h.ID] = true
		}
		if old.config == nil || new.config == nil {
			return
		}
		if same := old.Normal() == new.Normal(); same == meaning {
			t.Fatalf("the normal forms are equal: %v, but %s", same, hunkLines(Compare("x.conf", old, new)))
		}
		// The base has another comment, so that no shortcut is taken.
		base := side(before + "\n# base\n")
		got, conflicts := Splice("x.conf", base, old, new, func(gateway.Hunk) bool { return true })
		if len(conflicts) == 0 && meaning {
			if left := Compare("x.conf", side(got), new); len(left) > 0 && left[0].Meaning() && !ordered(left) {
				t.Fatalf("splicing %q onto %q gives %q: %s", after, before, got, hunkLines(left))
			}
		}
	})
}

// ordered says that nothing is left but the order, which several moves at once may miss.
func ordered(hunks []gateway.Hunk) bool {
	for _, h := range hunks {
		if h.Change != gateway.HunkMoved {
			return false
		}
	}
	return true
}
