package proxy

import (
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// Under a wildcard a route for one label answers 404 for more; the exact host has its own.
func TestSingleLabel(t *testing.T) {
	s := snap(nil, nil)
	rules := func(single bool, path string) []gateway.Rule {
		return []gateway.Rule{{Path: gateway.PathMatch{Prefix: path}, Route: &gateway.EffectiveRoute{
			Tenant: "acme", Name: "r", SingleLabel: single, Respond: &gateway.Respond{Status: 200}}}}
	}
	s.Hosts = []*gateway.Host{
		{Name: "*.any.test", Tenant: "acme", Rules: rules(false, "/")},
		{Name: "*.one.test", Tenant: "acme", Rules: rules(true, "/")},
		{Name: "a.b.one.test", Tenant: "acme", Rules: rules(true, "/")},
	}
	e := start(t, Config{}, Listener{}, s)
	c := e.dial(t)
	for host, want := range map[string]int{
		"x.one.test": 200, "X.ONE.test:8080": 200, "x.one.test.": 200, "y.x.one.test": 404, "z.y.x.one.test": 404,
		"a.b.one.test": 200, "y.x.any.test": 200, "one.test": 404,
	} {
		c.send(crlf("GET / HTTP/1.1\nHost: " + host + "\n\n"))
		if resp, _ := c.answer("GET"); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, resp.StatusCode, want)
		}
	}
}
