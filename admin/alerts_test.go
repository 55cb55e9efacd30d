package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// raised are alerts of two tenants and of the platform, and two receivers.
type raised struct{}

func (raised) Active() []gateway.Alert {
	var out []gateway.Alert
	for _, tenant := range []string{"acme", "other", ""} {
		out = append(out, gateway.Alert{ID: "x/" + tenant, Kind: gateway.AlertPanic, Severity: gateway.SeverityCritical, Tenant: tenant, Since: time.Unix(0, 0).UTC(), Node: "n"})
	}
	return out
}

func (raised) Receivers() []gateway.AlertReceiver {
	return []gateway.AlertReceiver{{Name: "ops", Type: "slack", Scope: "all", Waiting: 2, Error: "gone"}}
}

func (raised) Test(_ context.Context, receiver, who string) error {
	switch receiver {
	case "ops":
		return nil
	case "broken":
		return errors.New("connection refused, " + who)
	}
	return fmt.Errorf("%w: receiver %q", gateway.ErrNotFound, receiver)
}

func TestAlerts(t *testing.T) {
	w := newWorld(t, nil)
	acme := `{"id":"x/acme","kind":"panic","severity":"critical","resolved":false,"tenant":"acme","subject":"","summary":"","since":"1970-01-01T00:00:00Z","node":"n"}`
	for _, c := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", "/alerts", http.StatusOK, acme},
		{"GET", "/alerts", http.StatusOK, `"receivers":[{"name":"ops","type":"slack","scope":"all","waiting":2,"dropped":0,"error":"gone"}]`},
		{"GET", "/alerts?tenant=acme", http.StatusOK, `{"items":[` + acme + `],"receivers":[]}`},
		{"GET", "/alerts?tenant=nobody", http.StatusOK, `{"items":[],"receivers":[]}`},
		{"POST", "/alerts/receivers/ops/test", http.StatusOK, `{"sent":true}`},
		{"POST", "/alerts/receivers/broken/test", http.StatusOK, `{"error":"connection refused, admin","sent":false}`},
		{"POST", "/alerts/receivers/x/test", http.StatusNotFound, `receiver \"x\"`},
	} {
		rec := w.do(c.method, "/api/v1"+c.path, "")
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.text) {
			t.Errorf("%s %s: %d %s", c.method, c.path, rec.Code, rec.Body)
		}
	}
}
