package quickstart

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/sluice-gateway/sluice/gateway"
)

// read returns every object of the example, with unknown keys refused.
func read(t *testing.T) []gateway.Object {
	t.Helper()
	files, err := filepath.Glob("objects/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("object files: %v, %v", files, err)
	}
	var objects []gateway.Object
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, doc := range bytes.Split(text, []byte("\n---\n")) {
			objects = append(objects, parse(t, file, i+1, doc))
		}
	}
	return objects
}

func parse(t *testing.T, file string, number int, doc []byte) gateway.Object {
	t.Helper()
	var head struct{ Kind gateway.Kind }
	if err := yaml.Unmarshal(doc, &head); err != nil {
		t.Fatalf("%s, document %d: %v", file, number, err)
	}
	object, err := gateway.NewObject(head.Kind)
	if err != nil {
		t.Fatalf("%s, document %d: %v", file, number, err)
	}
	text, err := yaml.YAMLToJSON(doc)
	if err != nil {
		t.Fatalf("%s, document %d: %v", file, number, err)
	}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(object); err != nil {
		t.Fatalf("%s, document %d: %v", file, number, err)
	}
	return object
}

func TestObjectsAreTheAdvertisedOnes(t *testing.T) {
	count := map[gateway.Kind]int{}
	refs := map[gateway.Ref]bool{}
	for _, o := range read(t) {
		ref := o.Head().Ref()
		if refs[ref] {
			t.Errorf("%s is there twice", ref)
		}
		refs[ref] = true
		count[ref.Kind]++
		if ref.Kind.Owned() != (ref.Tenant != "") {
			t.Errorf("%s: only owned kinds name a tenant", ref)
		}
	}
	for kind, want := range map[gateway.Kind]int{gateway.KindTenant: 2, gateway.KindUpstream: 3, gateway.KindRoute: 3} {
		if count[kind] != want {
			t.Errorf("%d objects of kind %s, want %d", count[kind], kind, want)
		}
	}
}

// The script must start exactly the backends that the objects name.
func TestEndpointsAreTheScriptsBackends(t *testing.T) {
	script, err := os.ReadFile("run.sh")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, o := range read(t) {
		if u, ok := o.(*gateway.Upstream); ok {
			for _, e := range u.Spec.Endpoints {
				named = append(named, e.Address)
				if !strings.Contains(string(script), "="+e.Address) {
					t.Errorf("%s: run.sh starts no backend at %s", u.Ref(), e.Address)
				}
			}
		}
	}
	slices.Sort(named)
	if n := len(slices.Compact(named)); n != 4 {
		t.Errorf("%d different endpoints, want 4", n)
	}
}
