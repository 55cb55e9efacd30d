package manifest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

const keyRoute = `kind: Route
name: r
tenant: acme
spec:
  filters:
  - rateLimit:
      requests: 5
      key: `

// The keys of limits are written as docs/traffic-limits.md shows them, and read back from what
// is exported.
func TestLimitKeys(t *testing.T) {
	for text, want := range map[string]gateway.LimitKey{
		"client":              {By: gateway.KeyClient},
		"host":                {By: gateway.KeyHost},
		"route":               {By: gateway.KeyRoute},
		`"route"`:             {By: gateway.KeyRoute},
		"{header: x-api-key}": {By: gateway.KeyHeader, Header: "x-api-key"},
	} {
		for range 2 {
			items, err := Read("r.yaml", []byte(keyRoute+text+"\n"))
			if err != nil || len(items) != 1 {
				t.Fatalf("key %s: %v", text, err)
			}
			route := items[0].Object.(*gateway.Route)
			if got := route.Spec.Filters[0].RateLimit.Key; got != want {
				t.Errorf("key %s is %+v, want %+v", text, got, want)
			}
			var b bytes.Buffer
			if err := Write(&b, route); err != nil {
				t.Fatal(err)
			}
			_, written, _ := strings.Cut(b.String(), "key:")
			text = written
		}
	}
	for _, text := range []string{"5", "[client]", "{header: ''}", "{by: host}", "{header: x, by: host}"} {
		_, err := Read("r.yaml", []byte(keyRoute+text+"\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "r.yaml:1:1: ") || !strings.Contains(err.Error(), "write client, host, route or {header: x-api-key}") {
			t.Errorf("key %s: error %v", text, err)
		}
	}
}
