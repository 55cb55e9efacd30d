package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sluice-gateway/sluice/"

// siblings meet through package gateway and small interfaces that the caller declares;
// cmd/sluice connects them. None imports another, so each can be read and tested alone.
var siblings = []string{"discovery", "health", "alert", "proxy", "configsync", "admin", "store", "control", "manifest", "web-admin"}

// testTools are for tests only, and may be used by any test.
var testTools = []string{"test/freeport", "test/load", "test/kubetest", "test/knottest", "test/e2e", "store/storetest", "configsync/agent/agenttest"}

// homes says which package alone may bring in a heavy dependency, and why.
var homes = []struct{ dependency, home, why string }{
	{"k8s.io/client-go", "discovery/kubernetes", "its types and caches belong to one source"},
	{"github.com/miekg/dns", "discovery", "names are looked up, and announced, where services are discovered"},
	{"go.etcd.io/etcd/server/v3", "store", "the embedded etcd registers metrics and owns a data directory"},
	{"github.com/oapi-codegen/nethttp-middleware", "admin", "requests are validated where they arrive"},
	{"github.com/spf13/cobra", "cmd/sluice", "packages do not know of a command line"},
}

// forbidden packages pull every API group of Kubernetes into the binary: 30 MB and minutes
// of building for nothing.
var forbidden = []string{"k8s.io/client-go/kubernetes", "k8s.io/client-go/informers", "k8s.io/client-go/dynamic", "k8s.io/client-go/tools/leaderelection"}

type listed struct {
	ImportPath, Doc string
	Name            string
	Imports, Deps   []string
	GoFiles         []string
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,Name,Imports,Deps,GoFiles", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func under(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

func siblingOf(path string) string {
	i := slices.IndexFunc(siblings, func(s string) bool { return under(path, s) })
	if i < 0 {
		return ""
	}
	return siblings[i]
}

func TestImports(t *testing.T) {
	for _, p := range list(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		if slices.Contains(testTools, from) {
			continue
		}
		for _, full := range p.Imports {
			to, ours := strings.CutPrefix(full, module)
			if from == "gateway" && strings.Contains(strings.Split(full, "/")[0], ".") {
				t.Errorf("gateway imports %s: it imports the standard library only, so that everyone can import it", full)
			}
			if a, b := siblingOf(from), siblingOf(to); ours && a != "" && b != "" && a != b {
				t.Errorf("%s imports %s: siblings meet in cmd/sluice", from, to)
			}
			if ours && under(to, "cmd") {
				t.Errorf("%s imports %s: nothing imports the command", from, to)
			}
			for _, h := range homes {
				if under(full, h.dependency) && !under(from, h.home) {
					t.Errorf("%s imports %s, whose home is %s: %s", from, full, h.home, h.why)
				}
			}
		}
		for _, dep := range p.Deps {
			for _, f := range forbidden {
				if dep == f {
					t.Errorf("%s depends on %s, which pulls in every API group of Kubernetes", from, dep)
				}
			}
		}
	}
}

func TestPackageDocs(t *testing.T) {
	for _, p := range list(t) {
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command "
		}
		if len(p.GoFiles) > 0 && !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: the package comment begins %q, want %q…: say what the package is for", p.ImportPath, p.Doc[:min(30, len(p.Doc))], want)
		}
	}
}
