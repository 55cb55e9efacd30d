package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/gateway"
)

// Each testdata/*.txtar is one idea: a reason, what an upstream asks for, the slices of
// that Service, and the set that they make.
func TestTranslate(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d cases, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			c := readCase(t, file)
			if diff := cmp.Diff(c.want, text(translate(c.ref, c.slices(t, false)))); diff != "" {
				t.Error("set (-want +got):\n" + diff)
			}
			if diff := cmp.Diff(c.want, text(translate(c.ref, c.slices(t, true)))); diff != "" {
				t.Error("set of the slices as they come from a list (-want +got):\n" + diff)
			}
		})
	}
}

type translation struct {
	ref    gateway.KubernetesDiscover
	source []string
	want   string
}

func readCase(t *testing.T, file string) translation {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c translation
	for _, f := range txtar.Parse(data).Files {
		switch f.Name {
		case "discover.yaml":
			if err := yaml.UnmarshalStrict(f.Data, &c.ref); err != nil {
				t.Fatal(err)
			}
		case "slices.yaml":
			if len(f.Data) > 0 {
				c.source = strings.Split(string(f.Data), "---\n")
			}
		case "want":
			c.want = string(f.Data)
		default:
			t.Fatalf("%s: unknown file %q", file, f.Name)
		}
	}
	return c
}

// slices reads the slices by name; stripped as when they are collected from a list.
func (c translation) slices(t *testing.T, stripped bool) map[string]*slice {
	t.Helper()
	list := map[string]*slice{}
	for _, text := range c.source {
		s := &discoveryv1.EndpointSlice{}
		if err := yaml.UnmarshalStrict([]byte(text), s); err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if stripped {
			if _, err := strip(s); err != nil {
				t.Fatal(err)
			}
		}
		if of, ok := service(s); !ok || of.Name != "api" {
			t.Fatalf("slice %s belongs to Service %q", s.Name, of.Name)
		}
		list[s.Name] = compact(s)
	}
	return list
}

// text is a line for each endpoint and problem.
func text(c content) string {
	var b strings.Builder
	for _, e := range c.endpoints {
		b.WriteString(e.Address)
		if e.Weight != 1 {
			fmt.Fprintf(&b, " weight=%d", e.Weight)
		}
		if e.Zone != "" {
			b.WriteString(" zone=" + e.Zone)
		}
		if e.Terminating {
			b.WriteString(" terminating")
		}
		b.WriteString("\n")
	}
	for _, address := range c.out {
		b.WriteString(address + " out\n")
	}
	for _, p := range c.problems {
		b.WriteString("problem: " + p + "\n")
	}
	return b.String()
}

func BenchmarkTranslate(b *testing.B) {
	list := map[string]*slice{}
	for i := range 10 {
		s := &slice{ports: []port{{name: "http", number: 8080}}}
		for j := range 100 {
			e := discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("10.0.%d.%d", i, j)}}
			s.endpoints = append(s.endpoints, compact(&discoveryv1.EndpointSlice{Endpoints: []discoveryv1.Endpoint{e}}).endpoints...)
		}
		list[fmt.Sprint(i)] = s
	}
	ref := gateway.KubernetesDiscover{Namespace: "shop", Service: "api", Port: "http"}
	for b.Loop() {
		translate(ref, list)
	}
}
