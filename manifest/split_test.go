package manifest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Documents are read one by one, and stand where they stand in the file.
func TestDocuments(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"no line break at the end", "kind: Tenant\nname: a\n---\nkind: Tenant\nname: b", "f:1 a, f:4 b"},
		{"a marker first and last", "---\nkind: Tenant\nname: a\n---\n", "f:2 a"},
		{"empty ones between", "kind: Tenant\nname: a\n---\n---\n# a note\n---\nkind: Tenant\nname: b\n", "f:1 a, f:7 b"},
		{"carriage returns", "kind: Tenant\r\nname: a\r\n---\r\nkind: Tenant\r\nname: b\r\n", "f:1 a, f:4 b"},
		{"text on the marker's line", "--- {kind: Tenant, name: a}\n---\t{kind: Tenant, name: b}\n", "f:1 a, f:2 b"},
		{"the end is marked too", "kind: Tenant\nname: a\n...\n---\nkind: Tenant\nname: b\n", "f:1 a, f:5 b"},
		{"a marker within a text", "kind: Tenant\nname: a\nlabels:\n  x: |\n    1\n    ---\n    2\n---\nkind: Tenant\nname: b\n", "f:1 a, f:9 b"},
		{"the kind last", "name: a\nkind: Tenant\n---\n{name: b, kind: Tenant}\n", "f:1 a, f:4 b"},
	} {
		items, err := Read("f", []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, i := range items {
			got = append(got, i.Where()+" "+i.Object.Head().Name)
		}
		if diff := cmp.Diff(c.want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// Every mistake is told with its own place, and nothing is read after one that leaves open
// where the next document begins.
func TestMistakesInLaterDocuments(t *testing.T) {
	const good = "kind: Tenant\nname: a\n---\n"
	for _, c := range []struct {
		name, text string
		want       []string
		items      int
	}{
		{"two of a kind", good + "kind: Nosuch\n---\nkind: Tenant\nname: b\nfoo: 1\n---\nkind: Tenant\nname: c\n",
			[]string{"f:4: unknown kind", "f:8:1: unknown field"}, 2},
		{"a text that does not end", good + "kind: Tenant\nname: b\nlabels: {x: \"1\n---\nkind: Tenant\nname: c\n", []string{"f:6:"}, 0},
		{"a map that does not end", good + "kind: Tenant\nlabels: {x: 1\n---\nkind: Tenant\nname: c\n", []string{"f:5:"}, 0},
	} {
		items, err := Read("f", []byte(c.text))
		if err == nil || len(items) != c.items {
			t.Errorf("%s: %d items, %v", c.name, len(items), err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in: %v", c.name, want, err)
			}
		}
	}
}

// BenchmarkRead reads 1,000 and 10,000 documents of one file: the time goes with the number.
func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var text strings.Builder
			for i := range n {
				fmt.Fprintf(&text, "---\nkind: Upstream\nname: u%d\ntenant: acme\nspec:\n  endpoints: [{address: \"10.0.0.1:80\"}]\n", i)
			}
			b.ReportAllocs()
			for b.Loop() {
				if items, err := Read("f", []byte(text.String())); err != nil || len(items) != n {
					b.Fatal(len(items), err)
				}
			}
		})
	}
}
