package nginxconf

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestAgreesWithNginx compares what we accept with what nginx accepts, on texts made of the
// pieces that matter. Inside "types" nginx takes any words, but no blocks, so nothing but
// the reading of words decides.
func TestAgreesWithNginx(t *testing.T) {
	pieces := []string{"a", "b", " ", " ", ";", ";", "\"", "'", "\\", "#", "\n", "{", "}", "$", "${", "\t", "x y", "a;", "\"q\"", "'q'", ")", "\r\n"}
	random := rand.New(rand.NewPCG(1, 2))
	texts := oddWords()
	for range 400 {
		var b strings.Builder
		for range 1 + random.IntN(9) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		texts = append(texts, b.String())
	}
	agree(t, texts, "types {", func(c *Config) bool {
		for _, d := range c.Directives {
			if d.Block != nil {
				return false
			}
		}
		return true
	})
}

// oddWords are texts whose reading is easy to get wrong.
func oddWords() []string {
	list := []string{
		"", " ", "\n", "#", "# x", "# x\n", "#;{}\"'\n", "a b;", "a b", "a b; # c", "a b; #", "a\tb;", "a\rb;", "a\r\nb;\r\n", "a\fb c;", "a\vb c;",
		"\xef\xbb\xbfa b;", "\xef\xbb\xbf", "\xef\xbb\xbf# x\n", "\x00", "a \x00;", "a b\x00c;", "\"\x00\" b;", "a \xff\xfe;", "a é;", "\u00a0a b;",
		`a \;;`, `a \; b;`, `a \`, `a \;`, "a \\\n;", "a \\\r\n;", `\a b;`, `\# b;`, `\" b;`, `\\ b;`, `a\"b c;`, `a "\"";`, `a "\\";`, `a "\\\";`, `a '\'';`, `a "'";`, `a '"';`,
		`a "";`, `"" b;`, `"";`, `a "b"c;`, `a "b"'c';`, `a "b");`, `a "b") c;`, `a "b")c;`, `a "b"))c;`, `a "b"#;`, `a "b"}`, `a "b";}`, `"a"`, `"a";`, `a 'b' ;`,
		"a \"b\nc\";", "a 'b;{}#\n';", `a "b`, `a 'b`, `a b"c;`, `a b"c d";`, `a b'c;`, "a ${b};", "a ${b;", "a ${{{b;", "a $;", "a $ {b;", "a $${b};", `a $\{b;`, `a "${b}";`, `a ${b}{;`, "a x${b}y;",
		"a $b{;", "${a} b;", "$a b;", "a}b c;", "a b}c;", "a }", "a b;}", "}", "{", ";", ";;", "a;", "a;;", "a;a;", "a b;c d;e f;", "a b # c;\n;", "a # b\n c;", "a#b c;", "a b#c;", "a b;#", "#\r\n", "a\n\n\nb\n;",
		"a b c d e f g h;", " a b;", "a  b  ;", "a b\n;", "\"a b\" c;", "'a;b' c;", "\"a{\" b;", "a /*;", "a // b;", "a <!-- -->;", "a b;\x1a", "\x1a", "a ( b );", "a (b) ;", ") b;", "a );",
	}
	for _, n := range []int{4090, 4091, 4092, 4093, 4094, 4095, 4096, 4097, 9000} {
		x := strings.Repeat("b", n)
		list = append(list, "a "+x+";", "a "+x+" c;", "a "+x+"\nc;", "a \""+x+"\";", "a \""+x+"\" c;", "a '"+x+"'\n;", "a \""+x+"\");", x+" c;", "#"+x+"\na b;", "#"+x, "a b;#"+x+"\n", "a b;#"+x,
			"a b; # "+x+"\nc d;", "a "+x, "a \""+x, strings.Repeat(" ", n)+"a b;", "a "+strings.Repeat("\\;", n/2)+";", "a \""+strings.Repeat("\\\"", n/2)+"\";", "a b;"+strings.Repeat("\n", n), "a ${"+x+"};", "a x#"+x+";")
	}
	return list
}

// TestAgreesOnLua does the same for the code in Lua blocks, where nginx's Lua module reads.
func TestAgreesOnLua(t *testing.T) {
	pieces := []string{"a", " ", "{", "}", "{", "}", "\"", "'", "\\", "[[", "]]", "[=[", "]=]", "[==[", "]==]", "--", "--[[", "--[=[", "\n", "-", "[", "]", "=", "#", ";", "\"}\"", "'{'", "\r\n", "\\\"", "\\'", "\\\n", "--}\n", "[[}]]"}
	random := rand.New(rand.NewPCG(3, 4))
	codes := []string{"", " ", "}", "{", "{}", "{}}", "--", "--}", "--}\n", "--[[}]]", "--[[\n}\n]]", "--[=[ ]] } ]=]", "[[}]]", "[=[}]]]=]", "a[b[1]]", "a[b[c[1]]]", "[==[", "]]", "]==]", "\"}\"", "\"\\\"}\"", "'\\'}'", "'}",
		"\"}", "\"\n}", "\"a\\\n}\"", "-- \"}\n", "-- '\n", "-[[}]]", "---[[}\n]]", "--[}\n", "--[ [}\n", "[ [}]]", "\"[[\"", "'--' }", "# }", "a.b = {\n}\n", "\\}", "\\\"}\"", "[=}", "--[=}\n", "--[==\n}", "\x00}", "[[\x00]]", "\"\x00}\""}
	for range 400 {
		var b strings.Builder
		for range 1 + random.IntN(9) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		codes = append(codes, b.String())
	}
	for _, n := range []int{4000, 4094, 4095, 4096, 4097, 8191, 8192, 9000} {
		x := strings.Repeat("b", n)
		codes = append(codes, x, "--"+x+"\n", "\""+x+"\"", "[["+x+"]]", "--[["+x+"]]", "{"+x+"}")
	}
	for i, code := range codes {
		codes[i] = "rewrite_by_lua_block {" + code + "}\n"
	}
	agree(t, codes, "server { listen unix:/nonexistent/x; location / {", func(c *Config) bool {
		return len(c.Directives) == 1 && c.Directives[0].Block != nil
	})
}

// TestAgreesOnBlocks: how blocks begin and end.
func TestAgreesOnBlocks(t *testing.T) {
	var texts []string
	for _, s := range []string{
		"", "location /a {}", "location /a{}", "location /a {};", "location /a { }", "location /a {", "location /a }", "location /a {}}", "location \"/a\"{}", "location \"/a\" {}", "location /a{location /a/b{}}", "location /a {location /a/b {}",
		"location /a\n{\n}\n", "location /a # x\n{ # {\n} # }", "location ${a} {}", "location /${a}{}", "location /$a{}", "location /a\\{ {}", "location /a\\;{}", "location '/a{' {}", "location /a'{}", "if ($uri) {}", "if ($uri = \"b\"){}", "if ($uri = \"b\") {}", "if ($uri = b ){}",
		"if ($uri = 'b'){ set $a \"b\"; }", "location /a {#}", "location /a {#\n}", "location /a { set $x }; }", "location /a { set $x }}", "location = /a {} location = /b {}", "location ~ \"^/x{2}$\" {}", "location ~ ^/x{2}$ {}", "location ~ ^/x\\{2\\}$ {}", "set $a b", "set $a b;", "set $a b;}", "{", "}", "{}", "; ", "location /a {;}", "location /a {{}}",
	} {
		texts = append(texts, s, "\r\n"+s+"\r\n", "set $q \"x\"; "+s)
	}
	agree(t, texts, "server { listen unix:/nonexistent/x; server_name x;", func(*Config) bool { return true })
}

// agree puts every text in its place in a configuration and asks nginx, four at a time.
// More is what we require besides.
func agree(t *testing.T, texts []string, place string, more func(*Config) bool) {
	t.Helper()
	var mu sync.Mutex
	accepted, refused := 0, 0
	work := make(chan string)
	var workers sync.WaitGroup
	for range 4 {
		dir := t.TempDir()
		workers.Go(func() {
			for text := range work {
				c, err := Parse("x", text)
				ours := err == nil && more(c)
				if err == nil && c.String() != text {
					t.Errorf("%.100q changes in a round trip", text)
				}
				theirs, message, failed := nginxReads(dir, place, text)
				mu.Lock()
				switch {
				case failed != nil:
					t.Error(failed)
				case ours != theirs && !semantic(message) && !(ours && len(text) > window && tooLongForLua(message)):
					t.Errorf("%.100q (%d bytes): we say %v (%v), nginx says %v: %s", text, len(text), ours, err, theirs, message)
				case theirs:
					accepted++
				default:
					refused++
				}
				mu.Unlock()
			}
		})
	}
	for _, text := range texts {
		work <- text
	}
	close(work)
	workers.Wait()
	t.Logf("figure lexer_agreements %d texts goal 200 (%d accepted, %d refused)", accepted+refused, accepted, refused)
	if accepted < 30 || refused < 30 {
		t.Errorf("%d accepted and %d refused are too few to mean anything", accepted, refused)
	}
}

// semantic says that nginx read the text to its end and complains about what it means.
func semantic(message string) bool {
	for _, s := range []string{"duplicate location", "is outside location", "unknown \"a\" variable", "pcre2_compile", "is duplicate", "invalid condition", "failed to load inlined Lua code", "no runnable Lua code", "unknown directive \"\xef\xbb\xbf"} {
		if strings.Contains(message, s) {
			return true
		}
	}
	return false
}

// tooLongForLua says that the Lua module of this version finds no place for what it should
// read. Later versions do, so we do not refuse it.
func tooLongForLua(message string) bool {
	return strings.Contains(message, "too long lua code block") || strings.Contains(message, "the inlined Lua code may be too long")
}

func nginxReads(dir, place, text string) (bool, string, error) {
	closing := strings.Repeat("}", strings.Count(place, "{"))
	conf := fmt.Sprintf("load_module /usr/lib/nginx/modules/ndk_http_module.so;\nload_module /usr/lib/nginx/modules/ngx_http_lua_module.so;\npid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%s%s include %s/text; %s\n}\n", dir, tempPaths(dir), place, dir, closing)
	for name, data := range map[string]string{"nginx.conf": conf, "text": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			return false, "", err
		}
	}
	out, err := exec.Command("/usr/sbin/nginx", "-t", "-q", "-c", filepath.Join(dir, "nginx.conf"), "-p", dir).CombinedOutput()
	if ended := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ended) {
		return false, "", err
	}
	return err == nil || strings.Contains(string(out), "/nonexistent/x"), string(out), nil
}
