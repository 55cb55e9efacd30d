package gateway_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestMirror(t *testing.T) {
	to := func(percent int) *gateway.EffectiveMirror {
		return &gateway.EffectiveMirror{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "api"}, Percent: percent}
	}
	mirror := func(upstream string, percent *int) gateway.Filter {
		return gateway.Filter{Mirror: &gateway.Mirror{Upstream: upstream, Percent: percent}}
	}
	for name, c := range map[string]struct {
		filters  []gateway.Filter
		want     *gateway.EffectiveMirror
		problems []string
	}{
		"all":     {filters: []gateway.Filter{mirror("api", nil)}, want: to(100)},
		"some":    {filters: []gateway.Filter{mirror("api", ptr(1))}, want: to(1)},
		"none":    {filters: []gateway.Filter{mirror("api", ptr(0))}},
		"more":    {filters: []gateway.Filter{mirror("api", ptr(101))}, want: to(100), problems: []string{"spec.filters[0].mirror.percent limit_invalid"}},
		"less":    {filters: []gateway.Filter{mirror("api", ptr(-1))}, problems: []string{"spec.filters[0].mirror.percent limit_invalid"}},
		"unknown": {filters: []gateway.Filter{mirror("nosuch", nil)}, problems: []string{"spec.filters[0].mirror.upstream upstream_unknown"}},
		"twice":   {filters: []gateway.Filter{mirror("nosuch", nil), mirror("api", nil)}, problems: []string{"spec.filters[0].mirror.upstream upstream_unknown", "spec.filters[1] filter_twice"}},
		"fixed":   {filters: []gateway.Filter{mirror("api", nil), {Respond: &gateway.Respond{Status: 204}}}, problems: []string{"spec.filters target_unused", "spec.to target_unused"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := withRoute(gateway.RouteSpec{To: []gateway.RouteTarget{{Upstream: "api"}}, Filters: c.filters})
			if got := fieldCodes(s); !slices.Equal(got, c.problems) {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
			if diff := cmp.Diff(c.want, s.Hosts[0].Rules[0].Route.Mirror); diff != "" {
				t.Error(diff)
			}
		})
	}
}
