package proxy

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// conditional is a host whose rules answer with their names. Build orders them.
func conditional(t *testing.T) *gateway.Snapshot {
	t.Helper()
	in := gateway.Inputs{Tenants: []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Hosts: []string{"*"}}}}}
	prefix := func(p string, c gateway.Conditions) gateway.Match {
		return gateway.Match{Path: gateway.PathMatch{Prefix: p}, Conditions: c}
	}
	header := func(list ...gateway.HeaderMatch) gateway.Conditions { return gateway.Conditions{Headers: list} }
	prod := gateway.HeaderMatch{Name: "X-Env", Exact: "prod"}
	for i, r := range []struct {
		name  string
		match gateway.Match
	}{
		{"all", prefix("/", gateway.Conditions{})},
		{"query", prefix("/api", gateway.Conditions{Query: []gateway.QueryMatch{{Name: "v", Exact: "a b"}}})},
		{"env", prefix("/api", header(prod))},
		{"both", prefix("/api", header(prod, gateway.HeaderMatch{Name: "x-debug", Present: true}))},
		{"write", prefix("/api", gateway.Conditions{Methods: []string{"PUT", "POST"}})},
		{"deep", prefix("/api/deep", gateway.Conditions{Methods: []string{"GET"}})},
		{"exact", gateway.Match{Path: gateway.PathMatch{Exact: "/api/deep"}, Conditions: header(gateway.HeaderMatch{Name: "x-exact", Present: true})}},
		{"only", prefix("/only", gateway.Conditions{Methods: []string{"GET"}})},
		{"env2", prefix("/api", header(gateway.HeaderMatch{Name: "x-env", Exact: "test"}))},
	} {
		spec := gateway.RouteSpec{Hosts: []string{"*"}, Match: []gateway.Match{r.match}, Filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 200, Body: r.name}}}}
		in.Routes = append(in.Routes, &gateway.Route{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "acme", Name: r.name, CreatedRevision: int64(i + 1)}, Spec: spec})
	}
	s := gateway.Build(in, 1)
	if len(s.Problems) > 0 {
		t.Fatalf("%+v", s.Problems)
	}
	return s
}

// A request goes to the most specific rule whose conditions it meets: by path first, then by
// method, headers and query, then by age.
func TestConditions(t *testing.T) {
	e := start(t, Config{}, Listener{}, conditional(t))
	for _, c := range []struct {
		method, target string
		header         http.Header
		want           string
	}{
		{"GET", "/api", nil, "all"},
		{"GET", "/x?v=a+b", nil, "all"},
		{"GET", "/api?v=a+b", nil, "query"},
		{"GET", "/api/x?a=1&%76=a%20b&v=c", nil, "query"},
		{"GET", "/api?v=c&v=a+b", nil, "all"},
		{"GET", "/api?v=a+bc", nil, "all"},
		{"GET", "/api?v=a+b", http.Header{"X-Env": {"prod"}}, "env"},
		{"GET", "/api", http.Header{"X-Env": {"Prod"}}, "all"},
		{"GET", "/api", http.Header{"X-Env": {"prod", "test"}}, "all"},
		{"GET", "/api", http.Header{"X-Env": {"test"}}, "env2"},
		{"GET", "/api", http.Header{"X-Env": {"prod"}, "X-Debug": {""}}, "both"},
		{"POST", "/api", http.Header{"X-Env": {"prod"}, "X-Debug": {"1"}}, "write"},
		{"PUT", "/api?v=a+b", nil, "write"},
		{"DELETE", "/api", nil, "all"},
		{"GET", "/api/deep/x", http.Header{"X-Env": {"prod"}}, "deep"},
		{"POST", "/api/deep/x", nil, "write"},
		{"DELETE", "/api/deep", http.Header{"X-Env": {"prod"}}, "env"},
		{"DELETE", "/api/deep", http.Header{"X-Exact": {"1"}}, "exact"},
		{"GET", "/api/deep/x", http.Header{"X-Exact": {"1"}}, "deep"},
		{"GET", "/only", nil, "only"},
		{"POST", "/only", nil, "all"},
	} {
		for proto, client := range map[string]*http.Client{"1": {Timeout: patience}, "2": priorKnowledge(t)} {
			req, err := http.NewRequest(c.method, "http://"+e.addr+c.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header = c.header.Clone()
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body := make([]byte, 100)
			n, _ := resp.Body.Read(body)
			_ = resp.Body.Close()
			client.CloseIdleConnections()
			if got := string(body[:n]); got != c.want {
				t.Errorf("%s %s %v over %s: %s, want %s", c.method, c.target, c.header, proto, got, c.want)
			}
		}
	}
}

// Where no rule is without conditions, what meets none of them finds nothing.
func TestConditionsUnmet(t *testing.T) {
	s := snap(nil, func(_ *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		r.Respond = &gateway.Respond{Status: 200}
	})
	s.Hosts[0].Rules[0].Methods = []string{"GET"}
	c := start(t, Config{}, Listener{}, s).dial(t)
	if resp, _ := c.get("/"); resp.StatusCode != 200 {
		t.Errorf("GET: %d", resp.StatusCode)
	}
	c.send("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, body := c.answer("DELETE"); resp.StatusCode != 404 {
		t.Errorf("DELETE: %d, %s", resp.StatusCode, body)
	}
}

func TestFieldsTogether(t *testing.T) {
	o := rawOrigin(t, hello, false)
	s := snap([]string{o.addr}, nil)
	s.Hosts[0].Rules[0].Headers = []gateway.HeaderMatch{{Name: "x-a", Exact: "1, 2"}}
	c := start(t, Config{}, Listener{}, s).dial(t)
	for fields, want := range map[string]int{"X-A: 1, 2": 200, "X-A: 1\r\nx-a: 2": 200, "X-A: 1\r\nX-A: 3": 404, "X-A: 1": 404, "X-A: 1\r\nX-A: 2\r\nX-A: 3": 404, "X-B: 1": 404} {
		c.send(fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", fields))
		if resp, _ := c.answer("GET"); resp.StatusCode != want {
			t.Errorf("%q: %d, want %d", fields, resp.StatusCode, want)
		}
	}
}
