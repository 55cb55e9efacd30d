package nginxconf

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestMetadataIsDenied: a tenant that names the cloud's metadata as an endpoint, in one of its
// spellings, gets a problem, and no node's tree has it; testdata/attacks has those who try it
// by an override. An administrator may allow it.
func TestMetadataIsDenied(t *testing.T) {
	for _, address := range []string{"169.254.169.254:80", "[::ffff:169.254.169.254]:80", "[::ffff:a9fe:a9fe]:8080", "[fd00:ec2::254]:80", "[64:ff9b::169.254.169.254]:80"} {
		for _, c := range []struct {
			policy string
			denied bool
		}{{`{}`, true}, {`{"endpoints": {"deny": ["169.254.0.0/16", "fd00::/8"]}}`, true}, {`{"endpoints": {"deny": []}}`, false}} {
			all := copyOf(t)
			if err := json.Unmarshal([]byte(c.policy), &all.Policy.Spec); err != nil {
				t.Fatal(err)
			}
			all.Upstream.Spec.Endpoints = nil
			all.Set.Endpoints = []gateway.SourceEndpoint{{Address: address, Weight: 1}}
			in := gateway.Inputs{Tenants: []*gateway.Tenant{all.Tenant}, Upstreams: []*gateway.Upstream{all.Upstream}, Routes: []*gateway.Route{all.Route}, Policies: []*gateway.Policy{all.Policy}, Sets: []gateway.EndpointSet{*all.Set}}
			if denied := slices.ContainsFunc(gateway.Build(in, 1).Problems, func(p gateway.Problem) bool { return p.Code == "address_denied" }); denied != c.denied {
				t.Errorf("%s with policy %s is a problem: %v, want %v", address, c.policy, denied, c.denied)
			}
			rendered := ""
			for _, f := range renderAll(t, all) {
				rendered += f.Data
			}
			port := address[strings.LastIndex(address, ":"):] + ";"
			if reached := strings.Contains(rendered, port) && strings.Contains(rendered, "    server "); reached == c.denied {
				t.Errorf("%s with policy %s is asked: %v", address, c.policy, reached)
			}
		}
	}
}
