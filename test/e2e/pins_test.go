package e2e

import (
	"strings"
	"testing"
)

// TestPinsAreObjects: pins are listed, read and deleted as any object is, and what happened is
// said.
func TestPinsAreObjects(t *testing.T) {
	one := backend(t, "one", "")
	s := configure(t, "objects: ["+objectFile(t, "kind: Tenant\nname: acme\nspec: {hosts: ['*']}\n---\nkind: Upstream\nname: api\ntenant: acme\nspec: {endpoints: [{address: '"+one+"'}]}")+"]\n")
	s.start()
	says := func(want []string, args ...string) {
		t.Helper()
		out, err := s.sluice(args...)
		if err != nil {
			out = err.Error()
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("sluice %s:\n%s\nwant %q", strings.Join(args, " "), out, w)
			}
		}
	}
	says(nil, "upstream", "drain", "-t", "acme", "api", one, "--reason", "disk")
	name := "api-" + strings.ReplaceAll(one, ":", "-")
	says([]string{"Pin", name, "acme"}, "get", "pins")
	says([]string{"state: drained", "reason: disk"}, "get", "pin", name, "-o", "yaml")
	says([]string{"deleted", "Pin acme/" + name}, "delete", "pin", name, "--dry-run")
	says([]string{"deleted", "Pin acme/" + name, "acme/api"}, "delete", "pin", name)
	says([]string{"there is no Pin"}, "get", "pin", name)
}
