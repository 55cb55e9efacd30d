package slardar

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// routeFor is the route of an upstream's own host: in Slardar the Host header is the name of
// the upstream. It is nil, with a note where that may surprise, when the tenant's routes send
// to the upstream already, or no host can have the name.
func routeFor(u *gateway.Upstream, routes []*gateway.Route) (route *gateway.Route, note string) {
	key := keyOf(&u.Meta)
	for _, r := range routes {
		if sendsTo(r, u.Name) {
			return nil, ""
		}
		if r.Name == u.Name {
			return nil, fmt.Sprintf("no route was made: %s has that name and sends elsewhere", r.Ref())
		}
	}
	host, err := gateway.NormalHost(key)
	if err != nil {
		return nil, fmt.Sprintf("no route was made, since no request can name this host: %s", err)
	}
	return &gateway.Route{
		Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: u.Tenant, Name: u.Name, Labels: map[string]string{LabelKey: key}},
		Spec: gateway.RouteSpec{Hosts: []string{strings.ToLower(host)}, To: []gateway.RouteTarget{{Upstream: u.Name}}},
	}, ""
}

// ownRoute is the route that was made for the upstream, and serves nothing else; or nil.
func ownRoute(u *gateway.Upstream, routes []*gateway.Route) *gateway.Route {
	for _, r := range routes {
		if r.Name == u.Name && r.Labels[LabelKey] == keyOf(&u.Meta) && len(r.Spec.To) == 1 && sendsTo(r, u.Name) {
			return r
		}
	}
	return nil
}

func sendsTo(r *gateway.Route, upstream string) bool {
	for _, t := range r.Spec.To {
		if t.Upstream == upstream {
			return true
		}
	}
	return false
}
