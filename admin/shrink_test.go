package admin_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// kept is how many endpoints are kept of which upstream.
type kept map[string]int

func (k kept) Accept(u gateway.UpstreamKey) int              { return k[u.String()] }
func (k kept) Extend(u gateway.UpstreamKey, _ time.Time) int { return k[u.String()] }
func (k kept) Shrinks() []gateway.Shrink {
	var out []gateway.Shrink
	for name, n := range k {
		tenant, upstream, _ := strings.Cut(name, "/")
		out = append(out, gateway.Shrink{Upstream: gateway.UpstreamKey{Tenant: tenant, Name: upstream}, Source: gateway.SourceEtcd, Lost: n, Of: n, Kept: []string{"10.0.0.4:8080"}})
	}
	slices.SortFunc(out, gateway.Shrink.Compare)
	return out
}

func TestSettleShrink(t *testing.T) {
	w := newWorld(t, nil)
	tomorrow := time.Now().Add(25 * time.Hour).UTC().Format(time.RFC3339)
	soon := time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
	for _, c := range []struct {
		upstream, body string
		status         int
		text           string
	}{
		{"api", `{"action":"accept"}`, http.StatusOK, `{"endpoints":3}`},
		{"api", `{"action":"hold"}`, http.StatusOK, `{"endpoints":3}`},
		{"api", `{"action":"hold","until":"` + soon + `"}`, http.StatusOK, `{"endpoints":3}`},
		{"api", `{"action":"hold","until":"` + tomorrow + `"}`, http.StatusBadRequest, "within a day"},
		{"api", `{"action":"hold","until":"2020-01-01T00:00:00Z"}`, http.StatusBadRequest, "within a day"},
		{"api", `{"action":"accept","until":"` + soon + `"}`, http.StatusBadRequest, "gone at once"},
		{"api", `{"action":"forget"}`, http.StatusBadRequest, "action"},
		{"web", `{"action":"accept"}`, http.StatusNotFound, "no endpoints of upstream acme/web"},
	} {
		rec := w.do("POST", "/api/v1/tenants/acme/upstreams/"+c.upstream+"/shrink", c.body)
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.text) {
			t.Errorf("%s %s: %d %s", c.upstream, c.body, rec.Code, rec.Body)
		}
	}
}

func TestListShrinks(t *testing.T) {
	w := newWorld(t, nil)
	one := `{"upstream":{"tenant":"acme","name":"api"},"source":"etcd","since":"0001-01-01T00:00:00Z","until":"0001-01-01T00:00:00Z","lost":3,"of":3,"kept":["10.0.0.4:8080"]}`
	for path, want := range map[string]string{
		"/shrinks":             `{"items":[` + one + `]}`,
		"/shrinks?tenant=acme": `{"items":[` + one + `]}`,
		"/shrinks?tenant=b":    `{"items":[]}`,
	} {
		if rec := w.do("GET", "/api/v1"+path, ""); rec.Code != http.StatusOK || strings.TrimSpace(rec.Body.String()) != want {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
}
