package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/manifest"
)

// printed is what show writes in a form.
func printed(t *testing.T, form string, v any, table func(row func(...any))) (string, error) {
	t.Helper()
	cmd := &cobra.Command{}
	outputFlag(cmd)
	if err := cmd.Flags().Set("output", form); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.SetOut(&out)
	err := show(cmd, v, table)
	return out.String(), err
}

func TestShow(t *testing.T) {
	v := []fleetSummary{summarise("shared", []gateway.Node{{State: gateway.NodeInSync}, {State: gateway.NodeFailed}, {State: gateway.NodeInSync}})}
	table := func(row func(...any)) {
		row("FLEET", "STATES", "SINCE", "NOTE")
		row(v[0].Fleet, v[0].text(), time.Time{}, "")
	}
	for form, want := range map[string]string{
		"table": "FLEET   STATES               SINCE  NOTE\nshared  1 failed, 2 in_sync  -      -\n",
		"json":  "[\n  {\n    \"fleet\": \"shared\",\n    \"nodes\": 3,\n    \"states\": {\n      \"failed\": 1,\n      \"in_sync\": 2\n    }\n  }\n]\n",
		"yaml":  "- fleet: shared\n  nodes: 3\n  states:\n    failed: 1\n    in_sync: 2\n",
	} {
		if got, err := printed(t, form, v, table); err != nil || got != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", form, err, got, want)
		}
	}
	if _, err := printed(t, "xml", v, table); err == nil || !strings.Contains(err.Error(), "table, json or yaml") {
		t.Errorf("-o xml: %v", err)
	}
}

func TestShowWritten(t *testing.T) {
	route := gateway.Ref{Kind: gateway.KindRoute, Tenant: "acme", Name: "shop"}
	out := api.WriteResult{
		DryRun:  true,
		Changes: []api.ObjectChange{{Object: route, Action: api.Created}},
		Effect: api.Effect{
			Hosts:         []api.HostChange{{Host: "shop.example.com", Change: api.Changed}},
			Upstreams:     []api.UpstreamChange{{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "api"}, Change: api.Added, EndpointsAdded: []string{"10.0.0.4:80"}}},
			ProblemsAdded: []gateway.Problem{{Object: route, Field: "spec.to[0]", Message: "There is no upstream \"x\"."}},
			ProblemsFixed: []gateway.Problem{{Object: gateway.Ref{Kind: gateway.KindTenant, Name: "acme"}, Message: "Host taken."}},
		},
	}
	var b bytes.Buffer
	item := manifest.Item{Object: &gateway.Route{Meta: gateway.Meta{Kind: route.Kind, Tenant: route.Tenant, Name: route.Name}}, File: "shop.yaml", Line: 7}
	if err := showWritten(&b, out, item); err != nil {
		t.Fatal(err)
	}
	want := `Route acme/shop        created (dry run: nothing was written)
host shop.example.com  changed
upstream acme/api      added, endpoints added [10.0.0.4:80], removed []
problem: shop.yaml:7: Route acme/shop: spec.to[0]: There is no upstream "x".
settled: Tenant acme: Host taken.
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestAuditTable(t *testing.T) {
	at := time.Date(2026, 11, 21, 4, 0, 0, 0, time.Local)
	records := []api.Record{{Revision: 7, At: at, By: "admin", Changes: []api.RecordedChange{
		{Action: api.Created, Object: gateway.Ref{Kind: gateway.KindTenant, Name: "acme"}},
		{Action: api.Deleted, Object: gateway.Ref{Kind: gateway.KindRoute, Tenant: "acme", Name: "shop"}},
	}}}
	got, err := printed(t, "table", records, func(row func(...any)) { auditTable(row, records) })
	want := "REVISION  TIME                 BY     ACTION   OBJECT           REASON\n" +
		"7         2026-11-21 04:00:00  admin  created  Tenant acme      -\n" +
		"7         2026-11-21 04:00:00  admin  deleted  Route acme/shop  -\n"
	if err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

func TestSinceTime(t *testing.T) {
	now := time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{"2h": "2026-11-21T02:00:00Z", "2026-11-20T00:00:00+02:00": "2026-11-19T22:00:00Z"} {
		if got, err := sinceTime(text, now); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"yesterday", "-2h", "2026-11-20"} {
		if _, err := sinceTime(text, now); err == nil || !strings.Contains(err.Error(), "--since") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestKindOf(t *testing.T) {
	for word, want := range map[string]gateway.Kind{"policy": gateway.KindPolicy, "policies": gateway.KindPolicy, "Route": gateway.KindRoute, "routes": gateway.KindRoute, "FLEETS": gateway.KindFleet} {
		if got, err := kindOf(word); err != nil || got != want {
			t.Errorf("%s: %v %v", word, got, err)
		}
	}
	if _, err := kindOf("gateways"); err == nil || !strings.Contains(err.Error(), "known kinds are") {
		t.Errorf("gateways: %v", err)
	}
}
