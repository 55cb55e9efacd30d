package manifest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

var update = flag.Bool("update", false, "rewrite the expected errors")

// Each testdata/*.bad.yaml shows one mistake; the file of the same name with .txt holds the
// whole message that people see.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d bad files, %v", len(files), err)
	}
	for _, f := range files {
		_, err := ReadPaths(nil, f)
		if err == nil {
			t.Errorf("%s was accepted", f)
			continue
		}
		golden := strings.TrimSuffix(f, ".yaml") + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, ferr := os.ReadFile(golden)
		if ferr != nil {
			t.Fatal(ferr)
		}
		if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f, diff)
		}
	}
}

func TestReadKeepsPositionAndValues(t *testing.T) {
	items, err := ReadPaths(strings.NewReader(`# a comment first
kind: Tenant
name: acme
spec: {hosts: ["shop.example.com"]}
---

kind: Upstream
name: api
tenant: acme
spec:
  timeouts: {connect: 250ms}
  endpoints: [{address: "10.0.0.4:8080", weight: 0}]
---
{"kind": "Route", "name": "r", "tenant": "acme", "spec": {"hosts": ["shop.example.com"], "to": [{"upstream": "api"}], "maxBodySize": "64k"}}
`), "-")
	if err != nil {
		t.Fatal(err)
	}
	var where []string
	for _, i := range items {
		where = append(where, i.Where()+" "+i.Object.Head().Ref().String())
	}
	want := []string{"stdin:2 Tenant acme", "stdin:7 Upstream acme/api", "stdin:14 Route acme/r"}
	if diff := cmp.Diff(want, where); diff != "" {
		t.Error(diff)
	}
	u := items[1].Object.(*gateway.Upstream)
	if u.Spec.Timeouts.Connect.Std() != 250*time.Millisecond || u.Spec.Endpoints[0].Weight == nil || *u.Spec.Endpoints[0].Weight != 0 {
		t.Errorf("upstream: %+v", u.Spec)
	}
	if r := items[2].Object.(*gateway.Route); r.Spec.MaxBodySize != 64<<10 {
		t.Errorf("route: %+v", r.Spec)
	}
}

func TestFolderIsReadInOrder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b.yaml": "kind: Tenant\nname: b\n", "a.yml": "kind: Tenant\nname: a\n", "sub/c.json": `{"kind":"Tenant","name":"c"}`, "notes.txt": "not YAML: [", ".hidden.yaml": "["} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	items, err := ReadPaths(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, i := range items {
		got += i.Object.Head().Name
	}
	if got != "abc" {
		t.Errorf("read %q", got)
	}
	if _, err := ReadPaths(nil, filepath.Join(dir, "missing.yaml")); err == nil || !strings.Contains(err.Error(), "missing.yaml") {
		t.Errorf("missing file: %v", err)
	}
}

func TestWriteReadsBack(t *testing.T) {
	w := 3
	in := &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Name: "api", Tenant: "acme", Revision: 7, CreatedRevision: 3, CreatedBy: "alice", UpdatedBy: "bob", UpdatedAt: time.Unix(1, 0)},
		Spec: gateway.UpstreamSpec{Endpoints: []gateway.ManualEndpoint{{Address: "10.0.0.1:80", Weight: &w}}, Timeouts: gateway.Timeouts{Idle: gateway.Duration(90 * time.Second)}}}
	var b bytes.Buffer
	if err := Write(&b, in, in); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "revision") || strings.Contains(b.String(), "updatedAt") {
		t.Errorf("server fields were written:\n%s", &b)
	}
	items, err := Read("x", b.Bytes())
	if err != nil || len(items) != 2 {
		t.Fatalf("read back: %v\n%s", err, &b)
	}
	in.Meta = gateway.Meta{Kind: gateway.KindUpstream, Name: "api", Tenant: "acme"}
	if diff := cmp.Diff(in, items[1].Object); diff != "" {
		t.Error(diff)
	}
}

// A folder may be a link that is pointed at the next version of it, as git-sync does, or hold links
// into a hidden one, as the kubelet writes a ConfigMap: everything in it is read, and once.
func TestLinkedFolders(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.yaml": "kind: Tenant\nname: a\n", "team/b.yaml": "kind: Tenant\nname: b\n", ".git/c.yaml": "kind: Tenant\nname: c\n"} {
		path := filepath.Join(dir, "map", "..2026_11_22", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"current": "map/..data", "map/..data": "..2026_11_22", "map/a.yaml": "..data/a.yaml", "map/team": "..data/team", "map/..2026_11_22/team/round": ".", "mounted": "map"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"current", "map", "map/", "map/..data", "mounted"} {
		items, err := ReadPaths(nil, filepath.Join(dir, folder))
		var names []string
		for _, i := range items {
			names = append(names, i.Object.Head().Name)
		}
		if got := strings.Join(names, " "); err != nil || got != "a b" {
			t.Errorf("%s: %q, %v", folder, got, err)
		}
	}
}
