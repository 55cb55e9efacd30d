package gateway_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// site is a small installation without problems. Cases break one thing in it.
type site struct {
	gateway.Inputs
	acme, other          *gateway.Tenant
	api, web             *gateway.Upstream // of acme
	shopRoute, apiRoute  *gateway.Route    // of acme
	slow                 *gateway.Override // of acme's route api
	ceiling              *gateway.Policy
	apiByHand, apiFromKV *gateway.EndpointSet
	shared               *gateway.Fleet
}

func newSite() *site {
	s := &site{
		acme:      tenant(1, "acme", "shop.test", "*.acme.test"),
		other:     tenant(2, "other", "other.test"),
		api:       upstream("acme", "api"),
		web:       upstream("acme", "web"),
		shopRoute: route(3, "acme", "shop", "shop.test", "/", "web"),
		apiRoute:  route(4, "acme", "api", "shop.test", "/api", "api"),
		slow:      &gateway.Override{Meta: meta(gateway.KindOverride, "acme", "slow")},
		ceiling:   &gateway.Policy{Meta: meta(gateway.KindPolicy, "", "ceiling")},
		shared:    &gateway.Fleet{Meta: meta(gateway.KindFleet, "", "shared")},
	}
	s.acme.Spec.Fleets = []string{"shared"}
	s.api.Spec.Discover = []gateway.Discover{{Etcd: &gateway.EtcdDiscover{Prefix: "/api/"}}}
	s.slow.Spec = gateway.OverrideSpec{Route: "api", Set: gateway.OverrideSet{Timeout: ptr(20 * second)}, Nginx: "proxy_buffering off;"}
	s.ceiling.Spec.Timeout.Max = 30 * second
	s.ceiling.Spec.MaxBodySize.Max = 1 << 30
	s.ceiling.Spec.NginxDirectives = []string{"proxy_buffering"}
	otherAPI := upstream("other", "api")
	s.Inputs = gateway.Inputs{
		Tenants:   []*gateway.Tenant{s.other, s.acme},
		Upstreams: []*gateway.Upstream{otherAPI, s.web, s.api},
		Routes:    []*gateway.Route{route(5, "other", "all", "other.test", "/", "api"), s.apiRoute, s.shopRoute},
		Overrides: []*gateway.Override{s.slow},
		Policies:  []*gateway.Policy{s.ceiling},
		Fleets:    []*gateway.Fleet{s.shared},
		Sets: []gateway.EndpointSet{
			set(s.api.Key(), gateway.SourceManual, "", "10.0.0.4:80"),
			set(s.api.Key(), gateway.SourceEtcd, "default:/api/", "10.0.0.5:80"),
			set(s.web.Key(), gateway.SourceManual, "", "10.0.1.1:80"),
			set(otherAPI.Key(), gateway.SourceManual, "", "10.0.2.1:80"),
		},
	}
	s.apiByHand, s.apiFromKV = &s.Sets[0], &s.Sets[1]
	return s
}

// siteServing is what newSite serves, in the words of serving.
var siteServing = []string{
	`acme/api 10.0.0.4:80 weight 1 of [manual], in rotation`,
	`acme/api 10.0.0.5:80 weight 1 of [etcd], in rotation`,
	`acme/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active none`,
	`acme/web 10.0.1.1:80 weight 1 of [manual], in rotation`,
	`acme/web http round_robin, 2 attempts, passive 5 errors 30s 30%, active none`,
	`fleet shared`,
	`host *.acme.test of acme`,
	`host other.test of other`,
	`host shop.test of acme`,
	`other.test prefix "/" to other/api=1, timeout 30s, body 10m`,
	`other/api 10.0.2.1:80 weight 1 of [manual], in rotation`,
	`other/api http round_robin, 2 attempts, passive 5 errors 30s 30%, active none`,
	`shop.test prefix "/" to acme/web=1, timeout 30s, body 10m`,
	`shop.test prefix "/api" to acme/api=1, timeout 20s, body 10m, nginx "proxy_buffering off;"`,
	`tenant acme`,
	`tenant other`,
}

const second = gateway.Duration(time.Second)

func ptr[T any](v T) *T { return &v }

func meta(kind gateway.Kind, tenant, name string) gateway.Meta {
	return gateway.Meta{Kind: kind, Tenant: tenant, Name: name}
}

func tenant(created int64, name string, hosts ...string) *gateway.Tenant {
	t := &gateway.Tenant{Meta: meta(gateway.KindTenant, "", name), Spec: gateway.TenantSpec{Hosts: hosts}}
	t.CreatedRevision = created
	return t
}

func upstream(tenant, name string) *gateway.Upstream {
	return &gateway.Upstream{Meta: meta(gateway.KindUpstream, tenant, name)}
}

func route(created int64, tenant, name, host, prefix, upstream string) *gateway.Route {
	r := &gateway.Route{Meta: meta(gateway.KindRoute, tenant, name), Spec: gateway.RouteSpec{
		Hosts: []string{host},
		Match: []gateway.Match{{Path: gateway.PathMatch{Prefix: prefix}}},
		To:    []gateway.RouteTarget{{Upstream: upstream}}}}
	r.CreatedRevision = created
	return r
}

func set(k gateway.UpstreamKey, source gateway.SourceKind, place string, addresses ...string) gateway.EndpointSet {
	s := gateway.EndpointSet{SetKey: gateway.SetKey{Upstream: k, Source: source, Place: place}}
	for _, a := range addresses {
		s.Endpoints = append(s.Endpoints, gateway.SourceEndpoint{Address: a, Weight: 1})
	}
	return s
}

// serving lists what a snapshot serves, one line for each thing that could get lost.
func serving(s *gateway.Snapshot) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, t := range s.Tenants {
		add("tenant %s", t.Name)
	}
	for _, f := range s.Fleets {
		add("fleet %s", f.Name)
	}
	for _, h := range s.Hosts {
		add("host %s of %s", h.Name, h.Tenant)
		for _, r := range h.Rules {
			add("%s", ruleLine(h, r))
		}
	}
	for _, u := range s.Upstreams {
		passive, active := "none", "none"
		if p := u.Health.Passive; p != nil {
			passive = fmt.Sprintf("%d errors %s %d%%", p.ConsecutiveGatewayErrors, p.BaseEjection, p.MaxEjectedPercent)
		}
		if a := u.Health.Active; a != nil {
			active = fmt.Sprintf("%s %s %s %s/%s +%d -%d", a.Type, a.Path, a.Expect, a.Timeout, a.Interval, a.Rise, a.Fall)
		}
		add("%s %s %s, %d attempts, passive %s, active %s", u.Key, u.Protocol, u.Balance.Policy, u.Retry.Attempts, passive, active)
		for _, e := range u.Endpoints {
			add("%s %s weight %d of %s, %s", u.Key, e.Address, e.Weight, e.Sources, map[bool]string{true: "in rotation", false: "out"}[e.InRotation])
		}
	}
	slices.Sort(out)
	return out
}

func ruleLine(h *gateway.Host, r gateway.Rule) string {
	var targets []string
	for _, t := range r.Route.Targets {
		targets = append(targets, fmt.Sprintf("%s=%d", t.Upstream, t.Weight))
	}
	line := fmt.Sprintf("%s %s to %s, timeout %s, body %s", h.Name, r.Path,
		cmp.Or(strings.Join(targets, " "), "nothing"), r.Route.Timeout, r.Route.MaxBodySize)
	for _, n := range r.Route.Nginx {
		line += fmt.Sprintf(", nginx %q", n.Text)
	}
	return line
}

// problemLine is all of a Problem but its message, which is for people and checked apart.
func problemLine(p gateway.Problem) string {
	return fmt.Sprintf("%s: %s: %s, found by %s", p.Object, p.Field, p.Code, p.Source)
}

func problemLines(s *gateway.Snapshot) []string {
	var out []string
	for _, p := range s.Problems {
		out = append(out, problemLine(p))
	}
	return out
}

func verdict(k gateway.UpstreamKey, address string, state gateway.HealthState) gateway.Verdict {
	return gateway.Verdict{EndpointKey: gateway.EndpointKey{Upstream: k, Address: address}, State: state}
}
