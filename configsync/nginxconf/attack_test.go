package nginxconf

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestAttacks lets a tenant try testdata/attacks/*.txtar. Each has its idea in the first
// line, the text of an override, and what it is refused for, by line. The administrator is
// the most careless one: a policy lists every directive that the text names.
func TestAttacks(t *testing.T) {
	cases, err := filepath.Glob("testdata/attacks/*.txtar")
	if err != nil || len(cases) < 60 {
		t.Fatalf("found %d cases (%v), expected at least 60", len(cases), err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			attack(t, name)
		})
	}
}

func attack(t *testing.T, name string) {
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	payload, want := attackText(t, a)
	s := shopSnapshot(1)
	route := s.Hosts[0].Rules[0].Route
	s.NginxDirectives = payloadNames(payload)
	ref := gateway.Ref{Kind: gateway.KindOverride, Tenant: "acme", Name: "evil"}
	route.Nginx = []gateway.NginxText{{Override: ref, Text: payload}}
	tree, problems := Render(s, "shared", gateway.NodeFacts{TreePath: "/t/current", Modules: allModules})
	var got []string
	for _, p := range problems {
		if p.Object != ref || p.Field != "spec.nginx" {
			t.Errorf("a problem of something else: %+v", p)
		}
		line, ok := strings.CutPrefix(p.Message, "Line ")
		if !ok {
			t.Errorf("no line: %s", p.Message)
		}
		end := strings.IndexAny(line, ":,")
		got = append(got, fmt.Sprintf("%s %s\n", p.Code, line[:end]))
		if strings.ToValidUTF8(p.Message, "?") != p.Message || hasControl(p.Message) {
			t.Errorf("the message can't be shown: %q", p.Message)
		}
	}
	slices.SortStableFunc(got, func(a, b string) int { return lineOf(a) - lineOf(b) })
	if got := strings.Join(got, ""); got != want {
		t.Errorf("refused %s, want %s: %v", got, want, problems)
	}
	expectHarmless(t, s, tree, payload)
}

func lineOf(s string) int {
	_, n, _ := strings.Cut(strings.TrimSpace(s), " ")
	line, _ := strconv.Atoi(n)
	return line
}

// expectHarmless compares the tree with that of the same snapshot without the override: no
// other directive is in it than those of the payload that override_test.go accepts elsewhere.
func expectHarmless(t *testing.T, s *gateway.Snapshot, tree Tree, payload string) {
	t.Helper()
	s.Hosts[0].Rules[0].Route.Nginx = nil
	without, _ := Render(s, "shared", gateway.NodeFacts{TreePath: "/t/current", Modules: allModules})
	for i, f := range tree.Files {
		before, after := statements(t, without.Files[i]), statements(t, f)
		if f.Path == DigestFile {
			continue
		}
		for _, line := range after {
			if !slices.Contains(before, line) && !harmless[line] {
				t.Errorf("%s: %q of %q came through", f.Path, line, payload)
			}
		}
		for _, line := range before {
			if !slices.Contains(after, line) && line != "/server/location proxy_buffering on" {
				t.Errorf("%s: %q is gone", f.Path, line)
			}
		}
	}
}

// harmless are what payloads hold besides the attack, for cover.
var harmless = map[string]bool{
	"/server/location proxy_buffering off": true, "/server/location add_header X-A b": true, "/server/location rewrite a\\;b /x": true,
	"/server/location return 302 http://$arg_to/": true, "/server/location add_header X-A \"; } location /evil {": true,
}

// statements are the directives of a file with the blocks that enclose them.
func statements(t *testing.T, f File) []string {
	t.Helper()
	c, err := Parse(f.Path, f.Data)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	c.Walk(func(parents []*Directive, d *Directive) {
		path := ""
		for _, p := range parents {
			path += "/" + p.Name()
		}
		list = append(list, strings.Join(append([]string{path, d.Name()}, d.Args()...), " "))
	})
	for i := range list {
		list[i] = strings.TrimPrefix(list[i], " ")
	}
	return list
}

// attackText reads the override: as it is, as a Go string, or as a Go string with the number
// of times that it is repeated.
func attackText(t *testing.T, a *txtar.Archive) (payload, want string) {
	t.Helper()
	if idea := strings.TrimSpace(string(a.Comment)); !strings.HasSuffix(idea, ".") || len(a.Files) != 2 {
		t.Fatalf("%q: a case is an idea, an override and what is wanted", idea)
	}
	text, n := string(bytes.TrimSuffix(a.Files[0].Data, []byte("\n"))), 1
	var err error
	switch a.Files[0].Name {
	case "override.repeated":
		count, rest, _ := strings.Cut(text, " ")
		if n, err = strconv.Atoi(count); err == nil {
			text, err = strconv.Unquote(rest)
		}
	case "override.quoted":
		text, err = strconv.Unquote(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Repeat(text, n), string(a.Files[1].Data)
}

// payloadNames are all words that could be a directive.
func payloadNames(payload string) []string {
	list := []string{"proxy_buffering", "add_header"}
	c, err := Parse("payload", payload)
	if err != nil {
		return list
	}
	c.Walk(func(_ []*Directive, d *Directive) { list = append(list, d.Name()) })
	return list
}
