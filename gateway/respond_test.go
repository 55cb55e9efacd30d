package gateway_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// withRoute builds a snapshot with one tenant, one upstream and one route.
func withRoute(spec gateway.RouteSpec) *gateway.Snapshot {
	spec.Hosts = []string{"shop.test"}
	return gateway.Build(gateway.Inputs{
		Tenants:   []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Hosts: []string{"shop.test"}}}},
		Upstreams: []*gateway.Upstream{{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "acme", Name: "api"}}},
		Routes:    []*gateway.Route{{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "acme", Name: "r"}, Spec: spec}},
	}, 1)
}

// fieldCodes lists "field code" of all problems.
func fieldCodes(s *gateway.Snapshot) (out []string) {
	for _, p := range s.Problems {
		out = append(out, p.Field+" "+p.Code)
	}
	return out
}

func TestRespond(t *testing.T) {
	to := []gateway.RouteTarget{{Upstream: "api"}}
	type headers = map[string]string
	for name, c := range map[string]struct {
		to       []gateway.RouteTarget
		filters  []gateway.Filter
		want     *gateway.Respond
		problems []string
	}{
		"deny":                 {filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 403, Body: "no\r\n"}}}, want: &gateway.Respond{Status: 403, Body: "no\r\n"}},
		"headers in any case":  {filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 301, Headers: headers{"LOCATION": "/x", "x-a": "b c"}}}}, want: &gateway.Respond{Status: 301, Headers: headers{"location": "/x", "x-a": "b c"}}},
		"targets unused":       {to: to, filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 404}}}, want: &gateway.Respond{Status: 404}, problems: []string{"spec.to target_unused"}},
		"no filter in it":      {to: to, filters: []gateway.Filter{{}}, problems: []string{"spec.filters[0] filter_invalid"}},
		"twice":                {filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 404}}, {Respond: &gateway.Respond{Status: 200}}}, want: &gateway.Respond{Status: 404}, problems: []string{"spec.filters[1] filter_twice"}},
		"interim status":       {filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 101}}}, want: &gateway.Respond{Status: 500}, problems: []string{"spec.filters[0].respond.status status_invalid"}},
		"no status":            {filters: []gateway.Filter{{Respond: &gateway.Respond{Body: "x"}}}, want: &gateway.Respond{Status: 500, Body: "x"}, problems: []string{"spec.filters[0].respond.status status_invalid"}},
		"body without a place": {filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 204, Body: "x"}}}, want: &gateway.Respond{Status: 204}, problems: []string{"spec.filters[0].respond.body body_forbidden"}},
		"body of the largest":  {filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 200, Body: strings.Repeat("x", gateway.MaxRespondBody)}}}, want: &gateway.Respond{Status: 200, Body: strings.Repeat("x", gateway.MaxRespondBody)}},
		"body too large":       {filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 200, Body: strings.Repeat("x", gateway.MaxRespondBody+1)}}}, want: &gateway.Respond{Status: 200}, problems: []string{"spec.filters[0].respond.body body_too_large"}},
		"same name twice":      {filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 200, Headers: headers{"X-A": "1", "x-a": "2"}}}}, want: &gateway.Respond{Status: 200, Headers: headers{"x-a": "1"}}, problems: []string{"spec.filters[0].respond.headers header_twice"}},
		"headers too large":    {filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 200, Headers: headers{"a": "1", "b": strings.Repeat("x", 9000)}}}}, want: &gateway.Respond{Status: 200, Headers: headers{"a": "1"}}, problems: []string{"spec.filters[0].respond.headers headers_too_large"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := withRoute(gateway.RouteSpec{To: c.to, Filters: c.filters})
			if got := fieldCodes(s); !slices.Equal(got, c.problems) {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
			r := s.Hosts[0].Rules[0].Route
			if diff := cmp.Diff(c.want, r.Respond); diff != "" {
				t.Error(diff)
			}
			if (r.Respond == nil) != (len(r.Targets) == 1) {
				t.Errorf("targets %v", r.Targets)
			}
		})
	}
}

// No field of a fixed answer can end its line, its head, or its framing.
func TestRespondHeaders(t *testing.T) {
	for _, h := range [][2]string{
		{"x", "a\r\nset-cookie: b"}, {"x", "a\nb"}, {"x", "a\x00"}, {"x", " a"}, {"x", "a\t"}, {"x", "\u00e9"}, {"x y", "a"}, {"", "a"}, {"x:", "a"}, {"x\r\ny", "a"},
		{"Content-Length", "5"}, {"transfer-encoding", "chunked"}, {"Connection", "close"}, {"Trailer", "x"}, {"Upgrade", "h2c"}, {"Keep-Alive", "timeout=5"}, {"Date", "now"},
	} {
		s := withRoute(gateway.RouteSpec{Filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 200, Headers: map[string]string{h[0]: h[1]}}}}})
		if got := fieldCodes(s); !slices.Equal(got, []string{"spec.filters[0].respond.headers header_invalid"}) || len(s.Hosts[0].Rules[0].Route.Respond.Headers) > 0 {
			t.Errorf("%q: %q gives %q", h[0], h[1], got)
		}
	}
}
