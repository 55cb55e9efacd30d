package gateway_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestNodeFactsCheck(t *testing.T) {
	long := strings.Repeat("a", 1025)
	for name, f := range map[string]gateway.NodeFacts{
		"listen": {Listen: []string{"80", long}},
		"tree":   {TreePath: "/" + long},
		"main":   {Main: &gateway.NodeMain{HTTP: [][]string{{"gzip", long}}}},
	} {
		if err := f.Check(); !errors.Is(err, gateway.ErrInvalid) || !strings.Contains(err.Error(), "at most 1024 bytes") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (&gateway.NodeFacts{NginxVersion: "1.22.1", Listen: []string{"80"}, TreePath: "/var/lib/sluice/tree/current"}).Check(); err != nil {
		t.Error(err)
	}
}
