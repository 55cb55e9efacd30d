package configsync_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/configsync"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// Outcomes go to the judge of their fleet, one by one and in order; those of upstreams that the
// fleet does not mirror are nobody's, and what no agent says is refused.
func TestOutcomes(t *testing.T) {
	var seen []string
	c := configsync.New(configsync.Config{Observe: func(fleet string, o gateway.Outcome) {
		seen = append(seen, fmt.Sprintf("%s %s %s %d%s %s", fleet, o.Upstream, o.Address, o.Status, o.Failure, o.Latency))
	}})
	tenant := func(name string, fleets ...string) *gateway.Tenant {
		return &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: name}, Spec: gateway.TenantSpec{Fleets: fleets}}
	}
	c.Apply(&gateway.Snapshot{
		Tenants:   []*gateway.Tenant{tenant("acme", "shared"), tenant("other")},
		Fleets:    []*gateway.Fleet{{Meta: gateway.Meta{Kind: gateway.KindFleet, Name: "shared"}}},
		Upstreams: []*gateway.EffectiveUpstream{{Key: gateway.UpstreamKey{Tenant: "acme", Name: "API"}}, {Key: gateway.UpstreamKey{Tenant: "other", Name: "api"}}},
	})
	post := func(path, body string) int {
		w := httptest.NewRecorder()
		req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		c.Handler().ServeHTTP(w, req.WithContext(protocol.WithPeer(req.Context(), protocol.Peer{Fleet: "shared", Node: "n1"})))
		return w.Code
	}
	const path = "/agent/v1/outcomes?fleet=shared&node=n1"
	if code := post(path, `{}`); code != http.StatusNotFound {
		t.Errorf("a node that has not reported: %d", code)
	}
	if code := post("/agent/v1/sync", `{"report":{"fleet":"shared","node":"n1","facts":{"nginxVersion":"1.22.1"}}}`); code != http.StatusOK {
		t.Fatal(code)
	}
	body := func(upstream, address, runs string) string {
		return fmt.Sprintf(`{"endpoints":[{"upstream":%q,"address":%q,"runs":[%s]}]}`, upstream, address, runs)
	}
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"outcomes", body("acme._41_50_49", "10.0.0.4:80", `{"status":200,"count":2,"seconds":0.5},{"failure":"connect","count":1}`), 204},
		{"another tenant's", body("other.api", "10.0.0.4:80", `{"status":200,"count":2}`), 204},
		{"none", `{"endpoints":[]}`, 204},
		{"no address", body("acme._41_50_49", "api", `{"status":200,"count":2}`), 400},
		{"no count", body("acme._41_50_49", "10.0.0.4:80", `{"status":200}`), 400},
		{"a negative count", body("acme._41_50_49", "10.0.0.4:80", `{"status":200,"count":-1}`), 400},
		{"too many", body("acme._41_50_49", "10.0.0.4:80", `{"status":200,"count":150000},{"status":200,"count":150000}`), 400},
		{"a status of nowhere", body("acme._41_50_49", "10.0.0.4:80", `{"status":1000,"count":1}`), 400},
		{"a failure of nowhere", body("acme._41_50_49", "10.0.0.4:80", `{"failure":"bad mood","count":1}`), 400},
		{"no time at all", body("acme._41_50_49", "10.0.0.4:80", `{"status":200,"count":1,"seconds":-1}`), 400},
		{"no JSON", "{", 400},
	} {
		if code := post(path, c.body); code != c.want {
			t.Errorf("%s: %d, want %d", c.name, code, c.want)
		}
	}
	want := "shared acme/API 10.0.0.4:80 200 250ms, shared acme/API 10.0.0.4:80 200 250ms, shared acme/API 10.0.0.4:80 0connect 0s"
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("observed %s\nwant %s", got, want)
	}
}
