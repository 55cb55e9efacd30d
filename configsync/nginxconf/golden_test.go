package nginxconf

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-gateway/sluice/gateway"
)

var update = flag.Bool("update", false, "rewrite want/ in testdata/render")

// allModules are what the renderer asks for.
var allModules = []string{"http_upstream_keepalive_module", "http_upstream_zone_module", "http_upstream_least_conn_module", "http_upstream_hash_module",
	"http_upstream_random_module", "http_ssl_module", "http_v2_module", "http_grpc_module"}

// TestRender renders testdata/render/*.txtar. Each has its idea in the first line, then
// snapshot.yaml, facts.yaml if the facts matter, and every rendered file under want/. The
// two files in base/ are the same almost everywhere: they are compared where a case lists them.
func TestRender(t *testing.T) {
	cases, err := filepath.Glob("testdata/render/*.txtar")
	if err != nil || len(cases) < 120 {
		t.Fatalf("found %d cases (%v), expected at least 120", len(cases), err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			golden(t, name)
		})
	}
}

func golden(t *testing.T, name string) {
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if idea, _, _ := strings.Cut(string(a.Comment), "\n"); !strings.HasSuffix(idea, ".") {
		t.Errorf("the first line has to be the idea, a sentence: %q", idea)
	}
	s, facts := readCase(t, a)
	tree, problems := Render(s, "shared", facts)
	again, _ := Render(s, "shared", facts)
	if a, b := mustJSON(t, tree), mustJSON(t, again); !bytes.Equal(a, b) {
		t.Errorf("two renderings differ:\n%s\n%s", a, b)
	}
	if err := tree.Verify(); err != nil {
		t.Error(err)
	}
	checkRoundTrip(t, tree)
	checkWithNginx(t, a, tree)
	got := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if !strings.HasPrefix(f.Name, "want/") {
			got.Files = append(got.Files, f)
		}
	}
	for _, f := range tree.Files {
		if !strings.HasPrefix(f.Path, "base/") && path.Ext(f.Path) == ".conf" || listed(a, "want/"+f.Path) {
			got.Files = append(got.Files, txtar.File{Name: "want/" + f.Path, Data: []byte(f.Data)})
		}
	}
	if len(problems) > 0 {
		got.Files = append(got.Files, txtar.File{Name: "want/problems", Data: []byte(problemText(problems))})
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := txtar.Format(a); !bytes.Equal(txtar.Format(got), want) {
		t.Errorf("rendered differently; run with -update and read the diff. Got:\n%s", txtar.Format(got))
	}
}

func readCase(t *testing.T, a *txtar.Archive) (*gateway.Snapshot, gateway.NodeFacts) {
	t.Helper()
	s := &gateway.Snapshot{}
	facts := gateway.NodeFacts{TreePath: "/var/lib/sluice/tree/current", Listen: []string{"127.0.0.1:8080"}, Modules: allModules}
	for _, f := range a.Files {
		switch f.Name {
		case "snapshot.yaml":
			readYAML(t, f.Data, s)
			fillIn(t, s)
		case "facts.yaml":
			facts = gateway.NodeFacts{}
			readYAML(t, f.Data, &facts)
		}
	}
	return s, facts
}

// placeholder stands for a certificate or its key in a snapshot.
var placeholder = regexp.MustCompile(`@(key:)?([a-z.-]+)@`)

func fillIn(t *testing.T, s *gateway.Snapshot) {
	t.Helper()
	fill := func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(found string) string {
			m := placeholder.FindStringSubmatch(found)
			if pair := testCertificate(t, m[2]); m[1] == "" {
				return pair.Chain
			} else {
				return pair.Key
			}
		})
	}
	for _, c := range s.Certificates {
		c.Chain, c.PrivateKey = fill(c.Chain), gateway.Secret(fill(string(c.PrivateKey)))
		if c.ClientAuth != nil {
			c.ClientAuth.CA = fill(c.ClientAuth.CA)
		}
	}
	for _, u := range s.Upstreams {
		if u.TLS != nil {
			u.TLS.CA = fill(u.TLS.CA)
		}
	}
}

// checkWithNginx lets the installed nginx judge the tree. A case for a newer one has a file
// "unchecked": the directive that the installed one does not know, and the reason. It has to be
// true, and everything else has to be good.
func checkWithNginx(t *testing.T, a *txtar.Archive, tree Tree) {
	t.Helper()
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "unchecked" })
	if i < 0 {
		nginxTest(t, tree)
		return
	}
	directive, reason, _ := strings.Cut(strings.TrimSpace(string(a.Files[i].Data)), " # ")
	name, _, _ := strings.Cut(directive, " ")
	if out, err := nginxSays(t, tree); err == nil || !strings.Contains(out, fmt.Sprintf("unknown directive %q", name)) || reason == "" {
		t.Errorf("nginx was to refuse %q because %q, and says: %v\n%s", directive, reason, err, out)
	}
	older := Tree{Files: slices.Clone(tree.Files)}
	for i, f := range older.Files {
		older.Files[i].Data = strings.ReplaceAll(f.Data, "    "+directive+"\n", "")
	}
	nginxTest(t, older)
}

// readYAML goes through JSON, which is what the admin API returns.
func readYAML(t *testing.T, data []byte, into any) {
	t.Helper()
	raw, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func listed(a *txtar.Archive, name string) bool {
	return slices.ContainsFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
}

func problemText(list []gateway.Problem) string {
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, "%s: %s %s: %s\n", p.Code, p.Object, p.Field, p.Message)
	}
	return b.String()
}

// checkRoundTrip parses what was rendered: nothing we write may confuse our own parser.
func checkRoundTrip(t *testing.T, tree Tree) {
	t.Helper()
	for _, f := range tree.Files {
		if path.Ext(f.Path) != ".conf" {
			continue
		}
		c, err := Parse(f.Path, f.Data)
		if err != nil {
			t.Error(err)
		} else if c.String() != f.Data {
			t.Errorf("%s changes in a round trip", f.Path)
		}
	}
}

// nginxTest checks that the real nginx takes the tree.
func nginxTest(t *testing.T, tree Tree, http ...string) {
	t.Helper()
	out, err := nginxSays(t, tree, http...)
	if err != nil {
		t.Errorf("nginx refuses the tree: %v\n%s", err, out)
	} else if strings.Contains(out, "[warn]") && !strings.Contains(out, `the "user" directive`) {
		t.Errorf("nginx warns:\n%s", out)
	}
}

// nginxSays stages the tree and runs nginx -t on it, with more lines in the block http.
func nginxSays(t *testing.T, tree Tree, http ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range tree.Files {
		name := filepath.Join(dir, "tree", f.Path)
		data := strings.ReplaceAll(f.Data, "unix:/var/lib/sluice/tree/", "unix:"+dir+"/")
		data = strings.ReplaceAll(data, "/var/lib/sluice/tree/current/", dir+"/tree/")
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	modules := ""
	if tree.File(LuaFile) != nil {
		if err := os.Mkdir(filepath.Join(dir, "live"), 0o700); err != nil {
			t.Fatal(err)
		}
		modules = "load_module /usr/lib/nginx/modules/ndk_http_module.so;\nload_module /usr/lib/nginx/modules/ngx_http_lua_module.so;\n"
	}
	conf := modules + fmt.Sprintf("pid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%s%s\ninclude %s/tree/%s;\n}\n", dir, tempPaths(dir), strings.Join(http, "\n"), dir, Include)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("/usr/sbin/nginx", "-t", "-c", filepath.Join(dir, "nginx.conf"), "-p", dir).CombinedOutput()
	return string(out), err
}

// tempPaths moves the folders that nginx creates into dir.
func tempPaths(dir string) string {
	var b strings.Builder
	for _, n := range []string{"client_body", "proxy", "fastcgi", "scgi", "uwsgi"} {
		fmt.Fprintf(&b, "%s_temp_path %s/%s;\n", n, dir, n)
	}
	return b.String()
}
