package gateway_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

func number(n int) *int { return &n }

func TestUpstreamLimits(t *testing.T) {
	type limits = gateway.UpstreamLimits
	retry := gateway.Retry{Attempts: 2, On: []string{"connect-failure"}, BudgetPercent: number(20)}
	for name, c := range map[string]struct {
		spec     gateway.UpstreamSpec
		limits   limits
		retry    gateway.Retry
		proxy    string
		problems []string
	}{
		"defaults":         {retry: retry},
		"a limit":          {spec: gateway.UpstreamSpec{Limits: limits{MaxConnections: 5}}, limits: limits{5, number(1024), gateway.Duration(2 * time.Second)}, retry: retry},
		"nobody waits":     {spec: gateway.UpstreamSpec{Limits: limits{MaxConnections: 5, MaxPending: number(0)}}, limits: limits{5, number(0), gateway.Duration(2 * time.Second)}, retry: retry},
		"negative":         {spec: gateway.UpstreamSpec{Limits: limits{MaxConnections: -5}}, retry: retry, problems: []string{"spec.limits.maxConnections number_invalid"}},
		"negative pending": {spec: gateway.UpstreamSpec{Limits: limits{MaxConnections: 5, MaxPending: number(-1)}}, limits: limits{5, number(1024), gateway.Duration(2 * time.Second)}, retry: retry, problems: []string{"spec.limits.maxPending number_invalid"}},
		"queue for nothing": {spec: gateway.UpstreamSpec{Limits: limits{QueueTimeout: gateway.Duration(time.Second)}}, retry: retry,
			problems: []string{"spec.limits.maxConnections limit_missing"}},
		"retry": {spec: gateway.UpstreamSpec{Retry: gateway.Retry{Attempts: 3, On: []string{"reset", "503", "reset", "connect-failure"}, BudgetPercent: number(0)}},
			retry: gateway.Retry{Attempts: 3, On: []string{"503", "connect-failure", "reset"}, BudgetPercent: number(0)}},
		"retry unknown": {spec: gateway.UpstreamSpec{Retry: gateway.Retry{On: []string{"5xx"}, BudgetPercent: number(101)}}, retry: retry,
			problems: []string{"spec.retry.budgetPercent number_invalid", "spec.retry.on[0] retry_unknown"}},
		"proxy protocol": {spec: gateway.UpstreamSpec{ProxyProtocol: "v2"}, retry: retry, proxy: "v2"},
		"v3":             {spec: gateway.UpstreamSpec{ProxyProtocol: "v3"}, retry: retry, problems: []string{"spec.proxyProtocol proxy_protocol_unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := gateway.Build(gateway.Inputs{
				Tenants:   []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Hosts: []string{"shop.test"}}}},
				Upstreams: []*gateway.Upstream{{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "acme", Name: "api"}, Spec: c.spec}},
			}, 1)
			if got := fieldCodes(s); !slices.Equal(got, c.problems) {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
			u := s.Upstreams[0]
			if diff := cmp.Diff(c.limits, u.Limits) + cmp.Diff(c.retry, u.Retry) + cmp.Diff(c.proxy, u.ProxyProtocol); diff != "" {
				t.Error(diff)
			}
		})
	}
}
