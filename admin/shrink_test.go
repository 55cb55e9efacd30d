package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// kept is how many endpoints are kept of which upstream.
type kept map[string]int

func (k kept) Accept(u gateway.UpstreamKey) int              { return k[u.String()] }
func (k kept) Extend(u gateway.UpstreamKey, _ time.Time) int { return k[u.String()] }

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
