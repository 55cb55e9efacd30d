package gateway_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

const hour = gateway.Duration(time.Hour)

func TestRateLimit(t *testing.T) {
	client := gateway.LimitKey{By: "client"}
	for name, c := range map[string]struct {
		in, want gateway.RateLimit
		problems []string
	}{
		"defaults":   {in: gateway.RateLimit{Requests: 100}, want: gateway.RateLimit{Requests: 100, Per: second, Burst: ptr(99), Key: client, Status: 429}},
		"all":        {in: gateway.RateLimit{Requests: 5, Per: 60 * second, Burst: ptr(0), Key: gateway.LimitKey{Header: "X-Api-Key"}, Status: 503}, want: gateway.RateLimit{Requests: 5, Per: 60 * second, Burst: ptr(0), Key: gateway.LimitKey{By: "header", Header: "x-api-key"}, Status: 503}},
		"none":       {in: gateway.RateLimit{}, want: gateway.RateLimit{Requests: 1, Per: second, Burst: ptr(0), Key: client, Status: 429}, problems: []string{"spec.filters[0].rateLimit.requests limit_invalid"}},
		"many":       {in: gateway.RateLimit{Requests: 1 << 40}, want: gateway.RateLimit{Requests: 1e6, Per: second, Burst: ptr(100_000), Key: client, Status: 429}, problems: []string{"spec.filters[0].rateLimit.requests limit_invalid"}},
		"short":      {in: gateway.RateLimit{Requests: 1, Per: 1}, want: gateway.RateLimit{Requests: 1, Per: second, Burst: ptr(0), Key: client, Status: 429}, problems: []string{"spec.filters[0].rateLimit.per limit_invalid"}},
		"long":       {in: gateway.RateLimit{Requests: 1, Per: 24 * hour}, want: gateway.RateLimit{Requests: 1, Per: hour, Burst: ptr(0), Key: client, Status: 429}, problems: []string{"spec.filters[0].rateLimit.per limit_invalid"}},
		"burst":      {in: gateway.RateLimit{Requests: 9, Burst: ptr(-1)}, want: gateway.RateLimit{Requests: 9, Per: second, Burst: ptr(0), Key: client, Status: 429}, problems: []string{"spec.filters[0].rateLimit.burst limit_invalid"}},
		"status":     {in: gateway.RateLimit{Requests: 9, Status: 200}, want: gateway.RateLimit{Requests: 9, Per: second, Burst: ptr(8), Key: client, Status: 429}, problems: []string{"spec.filters[0].rateLimit.status limit_invalid"}},
		"key":        {in: gateway.RateLimit{Requests: 9, Key: gateway.LimitKey{By: "cookie"}}, want: gateway.RateLimit{Requests: 9, Per: second, Burst: ptr(8), Key: client, Status: 429}, problems: []string{"spec.filters[0].rateLimit.key limit_invalid"}},
		"header":     {in: gateway.RateLimit{Requests: 9, Key: gateway.LimitKey{Header: "x_api;}"}}, want: gateway.RateLimit{Requests: 9, Per: second, Burst: ptr(8), Key: client, Status: 429}, problems: []string{"spec.filters[0].rateLimit.key limit_invalid"}},
		"whole host": {in: gateway.RateLimit{Requests: 9, Key: gateway.LimitKey{By: "host"}}, want: gateway.RateLimit{Requests: 9, Per: second, Burst: ptr(8), Key: gateway.LimitKey{By: "host"}, Status: 429}},
	} {
		t.Run(name, func(t *testing.T) {
			s := withRoute(gateway.RouteSpec{To: []gateway.RouteTarget{{Upstream: "api"}}, Filters: []gateway.Filter{{RateLimit: &c.in}}})
			if got := fieldCodes(s); !slices.Equal(got, c.problems) {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
			if diff := cmp.Diff(&c.want, s.Hosts[0].Rules[0].Route.RateLimit); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRateLimitTwice(t *testing.T) {
	limit := func(n int) gateway.Filter { return gateway.Filter{RateLimit: &gateway.RateLimit{Requests: n}} }
	both := gateway.Filter{RateLimit: &gateway.RateLimit{Requests: 1}, IPAccess: &gateway.IPAccess{Deny: []string{"10.0.0.0/8"}}}
	s := withRoute(gateway.RouteSpec{To: []gateway.RouteTarget{{Upstream: "api"}}, Filters: []gateway.Filter{limit(3), limit(4), both}})
	want := []string{"spec.filters[1] filter_twice", "spec.filters[2] filter_invalid", "spec.filters[2] filter_twice"}
	if got := fieldCodes(s); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if r := s.Hosts[0].Rules[0].Route; r.RateLimit.Requests != 3 || r.IPAccess == nil {
		t.Errorf("%+v", r)
	}
}

func TestLimitKeyText(t *testing.T) {
	for text, want := range map[string]gateway.LimitKey{`"client"`: {By: "client"}, `"route"`: {By: "route"}, `{"header":"x-api-key"}`: {By: "header", Header: "x-api-key"}} {
		var k gateway.LimitKey
		if err := json.Unmarshal([]byte(text), &k); err != nil || k != want {
			t.Errorf("%s: %+v, %v", text, k, err)
		}
		if back, err := json.Marshal(k); string(back) != text || err != nil {
			t.Errorf("%s becomes %s, %v", text, back, err)
		}
	}
	for _, text := range []string{`{}`, `{"header":""}`, `{"header":"a","cookie":"b"}`, `{"cookie":"b"}`, `7`, `["client"]`} {
		if err := json.Unmarshal([]byte(text), new(gateway.LimitKey)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
