package nginximport

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/manifest"
)

var update = flag.Bool("update", false, "rewrite want/ in testdata")

// allModules are what the renderer asks for.
var allModules = []string{"http_upstream_keepalive_module", "http_upstream_zone_module", "http_upstream_least_conn_module", "http_upstream_hash_module",
	"http_upstream_random_module", "http_ssl_module", "http_v2_module", "http_grpc_module"}

// TestImport imports testdata/*.txtar. Each has its idea in the first line, the files below
// /etc/nginx, and what comes out of them: want/objects.yaml and want/report, or want/error. A
// first line that ends in "(overrides)" imports with that option.
func TestImport(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) < 25 {
		t.Fatalf("found %d cases (%v), expected at least 25", len(cases), err)
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
	idea := strings.TrimSpace(string(a.Comment))
	plain, overrides := strings.CutSuffix(idea, " (overrides)")
	if !strings.HasSuffix(plain, ".") {
		t.Errorf("the first line has to be the idea, a sentence: %q", idea)
	}
	files, got := map[string][]byte{}, &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if !strings.HasPrefix(f.Name, "want/") {
			files["/etc/nginx/"+f.Name] = f.Data
			got.Files = append(got.Files, f)
		}
	}
	r, err := Import(Memory("/etc/nginx/nginx.conf", files), Options{Tenant: "acme", Fleets: []string{"shared"}, Overrides: overrides})
	if err != nil {
		got.Files = append(got.Files, txtar.File{Name: "want/error", Data: []byte(err.Error() + "\n")})
	} else {
		var objects, report bytes.Buffer
		if err := manifest.Write(&objects, r.Objects...); err != nil {
			t.Fatal(err)
		}
		if err := r.Report.Write(&report); err != nil {
			t.Fatal(err)
		}
		got.Files = append(got.Files, txtar.File{Name: "want/objects.yaml", Data: objects.Bytes()}, txtar.File{Name: "want/report", Data: report.Bytes()})
		readsBack(t, objects.Bytes(), r)
		announced(t, r, report.String())
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := txtar.Format(a); !bytes.Equal(txtar.Format(got), want) {
		t.Errorf("imported differently; run with -update and read the diff. Got:\n%s", txtar.Format(got))
	}
}

// readsBack expects that the objects can be applied as they are written.
func readsBack(t *testing.T, text []byte, r *Result) {
	t.Helper()
	items, err := manifest.Read("objects.yaml", text)
	if err != nil || len(items) != len(r.Objects) {
		t.Errorf("%d of %d objects can be read: %v", len(items), len(r.Objects), err)
	}
}

// announced expects that Build and the renderer have no problem that the report has not told,
// and that nginx takes what is rendered.
func announced(t *testing.T, r *Result, report string) {
	t.Helper()
	s := gateway.Build(inputs(r.Objects), 1)
	for _, p := range s.Problems {
		if !strings.Contains(report, strings.TrimSuffix(p.Message, ".")) {
			t.Errorf("the report does not tell of %+v", p)
		}
	}
	tree, problems := nginxconf.Render(s, "shared", facts)
	for _, p := range problems {
		t.Errorf("the renderer has a problem with %s: %s %s", p.Object, p.Code, p.Message)
	}
	nginxTakes(t, tree)
}

var facts = gateway.NodeFacts{TreePath: "/var/lib/sluice/tree/current", Listen: []string{"127.0.0.1:8080"}, Modules: allModules, NginxVersion: "1.22.1",
	TrustedCA: "/etc/ssl/certs/ca-certificates.crt"}

// nginxTakes runs nginx -t on a rendered tree.
func nginxTakes(t *testing.T, tree nginxconf.Tree) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range tree.Files {
		name := filepath.Join(dir, "tree", f.Path)
		data := strings.ReplaceAll(f.Data, "unix:/var/lib/sluice/tree/", "unix:"+dir+"/")
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	conf := fmt.Sprintf("pid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n", dir)
	for _, n := range []string{"client_body", "proxy", "fastcgi", "scgi", "uwsgi"} {
		conf += fmt.Sprintf("%s_temp_path %s/%s;\n", n, dir, n)
	}
	conf += fmt.Sprintf("include %s/tree/%s;\n}\n", dir, nginxconf.Include)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(agenttest.Binary, "-t", "-c", filepath.Join(dir, "nginx.conf"), "-p", dir).CombinedOutput(); err != nil {
		t.Errorf("nginx refuses the tree: %v\n%s", err, out)
	}
}

// TestRoundTrip renders objects for a node, imports the rendered tree, and renders what came out
// again: nothing may have changed.
func TestRoundTrip(t *testing.T) {
	text, err := os.ReadFile("testdata/fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	items, err := manifest.Read("fleet.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	var objects []gateway.Object
	for _, i := range items {
		objects = append(objects, i.Object)
	}
	before := gateway.Build(inputs(objects), 1)
	if len(before.Problems) > 0 {
		t.Fatalf("the fleet has problems: %+v", before.Problems)
	}
	tree, problems := nginxconf.Render(before, "shared", facts)
	if len(problems) > 0 {
		t.Fatalf("the fleet can't be rendered: %+v", problems)
	}
	files := map[string][]byte{"/etc/nginx/nginx.conf": []byte("events {}\nhttp {\n    include /tree/" + nginxconf.Include + ";\n}\n")}
	for _, f := range tree.Files {
		if path.Dir(f.Path) != "base" { // they are of no object
			files["/tree/"+f.Path] = []byte(f.Data)
		}
	}
	r, err := Import(Memory("/etc/nginx/nginx.conf", files), Options{Tenant: "acme", Fleets: []string{"shared"}})
	if err != nil {
		t.Fatal(err)
	}
	again, _ := nginxconf.Render(gateway.Build(inputs(r.Objects), 1), "shared", facts)
	for _, f := range tree.Files {
		other := again.File(f.Path)
		switch {
		case other == nil:
			t.Errorf("%s is gone", f.Path)
		case path.Dir(f.Path) != "base" && other.Data != f.Data:
			t.Errorf("%s was\n%s\nand is\n%s", f.Path, f.Data, other.Data)
		}
	}
	if len(again.Files) != len(tree.Files) {
		t.Errorf("%d files became %d", len(tree.Files), len(again.Files))
	}
	compareObjects(t, objects, r.Objects)
	if t.Failed() {
		_ = r.Report.Write(os.Stderr)
	}
}

// compareObjects expects the same objects with the same specs, in the order of their names.
func compareObjects(t *testing.T, before, after []gateway.Object) {
	t.Helper()
	was, is := written(t, before), written(t, after)
	for ref, text := range was {
		if is[ref] != text {
			t.Errorf("%s was\n%s\nand is\n%s", ref, text, is[ref])
		}
	}
	if len(was) != len(is) {
		t.Errorf("%d objects became %d", len(was), len(is))
	}
}

func written(t *testing.T, list []gateway.Object) map[gateway.Ref]string {
	t.Helper()
	out := map[gateway.Ref]string{}
	for _, o := range list {
		var b bytes.Buffer
		if err := manifest.Write(&b, o); err != nil {
			t.Fatal(err)
		}
		out[o.Head().Ref()] = b.String()
	}
	return out
}

// Hostile input gives one clear error.
func TestRefused(t *testing.T) {
	deep := strings.Repeat("a {", 60) + strings.Repeat("}", 60)
	bomb := map[string][]byte{}
	for i := range 6 {
		bomb[fmt.Sprintf("/c/f%d", i)] = []byte(strings.Repeat(fmt.Sprintf("include f%d;\n", i+1), 12))
	}
	bomb["/c/f6"] = []byte("a b;\n")
	for name, c := range map[string]struct {
		files map[string][]byte
		want  string
	}{
		"syntax":       {map[string][]byte{"/c/f0": []byte("http { server { listen 80 }")}, `/c/f0:1:27: unexpected "}": "listen" of line 1 is not ended by ";"`},
		"syntax below": {map[string][]byte{"/c/f0": []byte("http { include x/*.conf; }"), "/c/x/a.conf": []byte("server {\n")}, "/c/x/a.conf:2:1: unexpected end of file"},
		"loop":         {map[string][]byte{"/c/f0": []byte("include f1;"), "/c/f1": []byte("include f0;")}, "files include each other without end: /c/f0 -> /c/f1 -> /c/f0"},
		"itself":       {map[string][]byte{"/c/f0": []byte("include *;")}, "files include each other without end: /c/f0 -> /c/f0"},
		"missing":      {map[string][]byte{"/c/f0": []byte("\ninclude gone.conf;")}, "/c/gone.conf: file does not exist (included at /c/f0:2)"},
		"large":        {map[string][]byte{"/c/f0": bytes.Repeat([]byte("a b;\n"), 2<<20)}, "the configuration is larger than 8 MiB: import a part of it with --from FILE"},
		"deep":         {map[string][]byte{"/c/f0": []byte(deep)}, "/c/f0:1: blocks are nested more than 40 deep"},
		"bomb":         {bomb, "there are more than 500000 directives, included ones counted each time"},
		"no main file": {nil, "/c/f0: file does not exist"},
	} {
		_, err := Import(Memory("/c/f0", c.files), Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
