package nginxconf

import (
	"os"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestBigTree: nginx takes 10,000 hosts, with the hashes that docs/nginx.md tells without a
// warning. Our own files can't set them: nginx refuses a directive that stands twice.
func TestBigTree(t *testing.T) {
	tree, _ := Render(bigSnapshot(), "shared", gateway.NodeFacts{TreePath: "/var/lib/sluice/tree/current", NginxVersion: "1.22.1", Modules: allModules, Listen: []string{"127.0.0.1:8080"}})
	docs, err := os.ReadFile("../../docs/nginx.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for line := range strings.Lines(string(docs)) {
		if strings.Contains(line, "hash_max_size") {
			told = append(told, strings.TrimSpace(line))
		}
	}
	out, err := nginxSays(t, tree, told...)
	if err != nil || strings.Contains(out, "[warn]") || len(told) != 2 {
		t.Errorf("with %q: %v\n%s", told, err, out)
	}
}
