package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
)

// adminToken is for the API of the Sluice under test.
const adminToken = "benchmarks-only-token"

var sluice = peer{
	name:    "sluice",
	files:   map[string]string{"sluice.yaml": "sluice.yaml", "objects/objects.yaml": "objects.yaml"},
	program: func(t tools) string { return t.sluice },
	args:    func(s site) []string { return []string{"serve", "--config", filepath.Join(s.Dir, "sluice.yaml")} },
	env:     []string{"GOMAXPROCS=1", "SLUICE_ADMIN_TOKEN=" + adminToken},
	ready:   func(s site) string { return "http://" + s.Ops + "/readyz" },
	version: []string{"version"},
	setEndpoints: func(ctx context.Context, c *contender) error {
		type endpoint struct {
			Address string `json:"address"`
		}
		var list []endpoint
		for _, e := range c.site.Upstreams[0].Endpoints {
			list = append(list, endpoint{e})
		}
		return putSluice(ctx, c, "upstreams/u0/endpoints", map[string]any{"endpoints": list})
	},
	moveHost: func(ctx context.Context, c *contender) error {
		h := c.site.Hosts[0]
		return putSluice(ctx, c, "routes/"+h.Route, map[string]any{"kind": "Route", "tenant": "bench", "name": h.Route,
			"spec": map[string]any{"hosts": []string{h.Name}, "to": []any{map[string]string{"upstream": h.Upstream}}}})
	},
}

func putSluice(ctx context.Context, c *contender, path string, value any) error {
	return call(ctx, http.MethodPut, "http://"+c.site.Admin+"/api/v1/tenants/bench/"+path, adminToken, value)
}

// swapSeconds is how long the proxy took to take over the snapshot in service, by its own
// metric.
func swapSeconds(ctx context.Context, s site) (float64, error) {
	page, err := fetch(ctx, "http://"+s.Ops+"/metrics")
	if err != nil {
		return 0, err
	}
	text := valueOf(page, "sluice_swap_seconds", " ")
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("the metric sluice_swap_seconds is %q: %w", text, err)
	}
	return seconds, nil
}
