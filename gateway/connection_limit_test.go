package gateway_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestConnectionLimit(t *testing.T) {
	client := gateway.LimitKey{By: "client"}
	for name, c := range map[string]struct {
		in, want gateway.ConnectionLimit
		problems []string
	}{
		"defaults": {in: gateway.ConnectionLimit{Max: 100}, want: gateway.ConnectionLimit{Max: 100, Key: client, Status: 429}},
		"all":      {in: gateway.ConnectionLimit{Max: 1, Key: gateway.LimitKey{Header: "x-a"}, Status: 503}, want: gateway.ConnectionLimit{Max: 1, Key: gateway.LimitKey{By: "header", Header: "x-a"}, Status: 503}},
		"none":     {in: gateway.ConnectionLimit{}, want: gateway.ConnectionLimit{Max: 1, Key: client, Status: 429}, problems: []string{"spec.filters[0].connectionLimit.max limit_invalid"}},
		"many":     {in: gateway.ConnectionLimit{Max: 65536}, want: gateway.ConnectionLimit{Max: 65535, Key: client, Status: 429}, problems: []string{"spec.filters[0].connectionLimit.max limit_invalid"}},
		"status":   {in: gateway.ConnectionLimit{Max: 9, Status: 418}, want: gateway.ConnectionLimit{Max: 9, Key: client, Status: 429}, problems: []string{"spec.filters[0].connectionLimit.status limit_invalid"}},
		"key":      {in: gateway.ConnectionLimit{Max: 9, Key: gateway.LimitKey{By: "ip"}}, want: gateway.ConnectionLimit{Max: 9, Key: client, Status: 429}, problems: []string{"spec.filters[0].connectionLimit.key limit_invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := withRoute(gateway.RouteSpec{To: []gateway.RouteTarget{{Upstream: "api"}}, Filters: []gateway.Filter{{ConnectionLimit: &c.in}}})
			if got := fieldCodes(s); !slices.Equal(got, c.problems) {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
			if diff := cmp.Diff(&c.want, s.Hosts[0].Rules[0].Route.ConnectionLimit); diff != "" {
				t.Error(diff)
			}
		})
	}
	two := gateway.Filter{ConnectionLimit: &gateway.ConnectionLimit{Max: 2}}
	s := withRoute(gateway.RouteSpec{To: []gateway.RouteTarget{{Upstream: "api"}}, Filters: []gateway.Filter{two, two}})
	if got := fieldCodes(s); !slices.Equal(got, []string{"spec.filters[1] filter_twice"}) {
		t.Error(got)
	}
}
