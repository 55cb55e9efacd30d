package nginximport

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/manifest"
)

// Whatever nginx might read becomes objects that can be written, or one error.
func FuzzImport(f *testing.F) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range cases {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(a.Files[0].Data), len(name)%2 == 0)
	}
	f.Fuzz(func(t *testing.T, text string, overrides bool) {
		r, err := Import(Memory("/c", map[string][]byte{"/c": []byte(text)}), Options{Overrides: overrides})
		if err != nil {
			return
		}
		seen := map[gateway.Ref]bool{}
		for _, o := range r.Objects {
			if err := manifest.CheckHead(o.Head()); err != nil {
				t.Error(err)
			}
			if seen[o.Head().Ref()] {
				t.Errorf("%s stands twice", o.Head().Ref())
			}
			seen[o.Head().Ref()] = true
		}
		if r.Report.Kept+r.Report.Untranslated > r.Report.Directives {
			t.Errorf("%s, %d kept", r.Report.Summary(), r.Report.Kept)
		}
	})
}
