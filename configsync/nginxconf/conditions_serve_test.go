package nginxconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy"
)

// conditional is a host with rules of all kinds. Most answer with their names; the others ask an
// upstream, whose balancing keeps it off our Lua.
func conditional(t *testing.T) *gateway.Snapshot {
	t.Helper()
	tell := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %d %v", r.Method, r.RequestURI, n, err)
	}))
	t.Cleanup(tell.Close)
	in := gateway.Inputs{
		Fleets:    []*gateway.Fleet{{Meta: gateway.Meta{Kind: gateway.KindFleet, Name: "shared"}}},
		Tenants:   []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Hosts: []string{"*"}, Fleets: []string{"shared"}}}},
		Upstreams: []*gateway.Upstream{{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "acme", Name: "tell"}, Spec: gateway.UpstreamSpec{Balance: gateway.Balance{Policy: "least_request"}}}},
	}
	add := func(name, path string, c gateway.Conditions, filters ...gateway.Filter) {
		m := gateway.Match{Path: gateway.PathMatch{Prefix: path}, Conditions: c}
		if exact, ok := strings.CutPrefix(path, "="); ok {
			m.Path = gateway.PathMatch{Exact: exact}
		}
		spec := gateway.RouteSpec{Hosts: []string{"*"}, Match: []gateway.Match{m}, MaxBodySize: 1 << 20, Filters: filters}
		if strings.HasPrefix(name, "to-") {
			spec.To = []gateway.RouteTarget{{Upstream: "tell"}}
		} else if len(filters) == 0 {
			spec.Filters = []gateway.Filter{{Respond: &gateway.Respond{Status: 200, Body: name}}}
		}
		in.Routes = append(in.Routes, &gateway.Route{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "acme", Name: name, CreatedRevision: int64(len(in.Routes) + 1)}, Spec: spec})
	}
	methods := func(list ...string) gateway.Conditions { return gateway.Conditions{Methods: list} }
	header := func(list ...gateway.HeaderMatch) gateway.Conditions { return gateway.Conditions{Headers: list} }
	query := func(list ...gateway.QueryMatch) gateway.Conditions { return gateway.Conditions{Query: list} }
	prod := gateway.HeaderMatch{Name: "X-Env", Exact: "prod"}
	add("all", "/", gateway.Conditions{})
	add("query", "/api", query(gateway.QueryMatch{Name: "v", Exact: "a b"}))
	add("env", "/api", header(prod))
	add("both", "/api", header(prod, gateway.HeaderMatch{Name: "x-debug", Present: true}))
	add("write", "/api", methods("PUT", "POST"))
	add("deep", "/api/deep", methods("GET"))
	add("exact", "=/api/deep", header(gateway.HeaderMatch{Name: "x-exact", Present: true}))
	add("only", "/only", methods("GET"))
	add("env2", "/api", header(gateway.HeaderMatch{Name: "x-env", Exact: "test"}))
	add("odd", "/odd", header(gateway.HeaderMatch{Name: "x-odd", Exact: `a, b.*"\$host;{}'~^`}))
	add("odd2", "/q", query(gateway.QueryMatch{Name: "ä=+%41&", Exact: `$x "\;{}%&+=`}))
	add("empty", "/q", query(gateway.QueryMatch{Name: "e"}))
	add("two", "/q", query(gateway.QueryMatch{Name: "p", Exact: "1"}, gateway.QueryMatch{Name: "q", Exact: "1"}))
	add("cookie", "/cookie", header(gateway.HeaderMatch{Name: "cookie", Exact: "a=b"}))
	add("to-post", "/to", methods("POST"), gateway.Filter{Rewrite: &gateway.Rewrite{Prefix: "/post"}})
	add("to-put", "/to", methods("PUT"))
	add("move", "/to", methods("GET"), gateway.Filter{Redirect: &gateway.Redirect{Prefix: "/moved", Status: 302}})
	add("to-keep", "/to", methods("LOCK"), gateway.Filter{Rewrite: &gateway.Rewrite{Path: "/one"}})
	add("shut", "/to", methods("PATCH"), gateway.Filter{IPAccess: &gateway.IPAccess{Deny: []string{"127.0.0.0/8"}}}, gateway.Filter{Respond: &gateway.Respond{Status: 200}})
	s := gateway.Build(in, 1)
	if len(s.Problems) > 0 {
		t.Fatalf("%+v", s.Problems)
	}
	s.Upstreams[0].Endpoints = []gateway.Endpoint{{Address: tell.Listener.Addr().String(), Weight: 1, InRotation: true}}
	return s
}

// asked are requests: the first line without the version, and fields.
var asked = []string{
	"GET /api", "GET /x?v=a+b", "GET /api?v=a+b", "GET /api/x?a=1&%76=a%20b&v=c", "GET /api?v=c&v=a+b", "GET /api?v=a+bc", "GET /api?v", "GET /api?V=a+b", "GET /api?&&v=a%20b", "GET /api?xv=1&v=a+b&v",
	"GET /api?v=a+b\nX-Env: prod", "GET /api\nX-Env: Prod", "GET /api\nX-Env: prod\nX-Env: test", "GET /api\nX-Env: test", "GET /api\nX-Env: prod\nX-Debug:", "GET /api\nx-env:   prod  \nX-Debug: 0",
	"GET /api\nX-Debug: 1", "GET /api\nX-Env: test\nX-Env: prod", "GET /api\nX-Env: \nX-Env: prod", "GET /api\nX-Env: prodx", "GET /api\nX-Env: xprod", "GET /api\nX_Env: prod",
	"POST /api\nX-Env: prod\nX-Debug: 1", "PUT /api?v=a+b", "DELETE /api", "POSTS /api", "GET /api/deep/x\nX-Env: prod", "POST /api/deep/x", "DELETE /api/deep\nX-Env: prod", "DELETE /api/deep\nX-Exact: 1", "GET /api/deep/x\nX-Exact: 1",
	"DELETE /api/deep/", "DELETE /api/deeper", "GET /api/deep", "GET /%61pi/deep//x", "GET /only", "POST /only", "POST /only/x?y=1", "GET //only",
	"GET /odd\nX-Odd: a, b.*\"\\$host;{}'~^", "GET /odd\nX-Odd: a\nX-Odd: b.*\"\\$host;{}'~^", "GET /odd\nX-Odd: a, bxx\"\\$host;{}'~^", "GET /odd\nX-Odd: a", "GET /odd",
	"GET /q?%C3%a4%3D%2B%2541%26=$x+%22\\;{}%25%26%2b=", "GET /q?%C3%a4%3D%2B%%341%26=%24x%20%22\\;{}%%26%2b%3d", "GET /q?%C3%a4%3D%2B%41%26=$x+%22\\;{}%25%26%2b=", "GET /q?%C3%a4%3D%2B%2541%26=$x+%22\\;{}%25%26+=", "GET /q?%C3%a4=%2B%2541%26=$x+%22\\;{}%25%26%2b=",
	"GET /q?e", "GET /q?e=", "GET /q?e=&e=1", "GET /q?e=1&e", "GET /q?ee", "GET /q?a=e", "GET /q?q=1&p=1", "GET /q?p=1", "GET /q?p=1&q=1&p=2", "GET /q?p=1&p=2&q=1", "GET /q?p=11&q=1",
	"GET /cookie\nCookie: a=b", "GET /cookie\nCookie: a=b\nCookie: c=d", "POST /to/x%2Fy?z=%41", "PUT /to/x%2Fy//z?z=%41", "GET /to/x?y", "LOCK /to/x?y=z", "PATCH /to", "DELETE /to",
	"POST /to\nContent-Length: 3\n\nabc", "POST /to\nTransfer-Encoding: chunked\n\n3\r\nabc\r\n0\r\n\r\n", "PUT /to\nContent-Length: 1048577", "POST /api\nContent-Length: 1048577", "PUT /to\nContent-Length: 1048576\n\n" + strings.Repeat("b", 1<<20),
}

// raw sends a request and tells what of the answer both edges have in common.
func raw(t *testing.T, address, request string) string {
	t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	line, fields, _ := strings.Cut(head, "\n")
	text := line + " HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n"
	if fields != "" {
		text += strings.ReplaceAll(fields, "\n", "\r\n") + "\r\n"
	}
	resp, got := askRaw(t, address, text+"\r\n"+body)
	switch {
	case resp.StatusCode == 200:
		return "200 " + got
	case resp.StatusCode < 400:
		return fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Location"))
	}
	return fmt.Sprint(resp.StatusCode)
}

// nginxOf starts an nginx with the tree for another version, or with our Lua.
func nginxOf(t *testing.T, s *gateway.Snapshot, version string, lua bool) (address string, problems []gateway.Problem) {
	t.Helper()
	n := agenttest.New(t)
	facts := gateway.NodeFacts{NginxVersion: version, Modules: allModules, TreePath: filepath.Join(n.TreeDir, "current"), Listen: []string{n.Address}}
	if lua {
		facts.Modules = append([]string{ModuleLua}, allModules...)
		n.LoadLua(t, 1)
		if err := os.MkdirAll(LiveFolder(facts), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	tree, problems := Render(s, "shared", facts)
	for _, f := range tree.Files {
		name := filepath.Join(facts.TreePath, f.Path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(f.Data), f.Perm()); err != nil {
			t.Fatal(err)
		}
	}
	n.Start(t)
	return n.Address, problems
}

// goEdge serves the same snapshot.
func goEdge(t *testing.T, s *gateway.Snapshot) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, served := proxy.New(proxy.Config{}), make(chan error, 1)
	p.Apply(s)
	go func() { served <- p.Serve(l, proxy.Listener{Name: "test"}) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// manyFields says that nginx sees a request in another way since 1.23.0, or that a field is empty.
func manyFields(request string) bool {
	return strings.Contains(request, ":\n") || strings.HasSuffix(request, ":") || strings.Count(strings.ToLower(request), "x-env:") > 1 || strings.Count(request, "X-Odd:") > 1 || strings.Count(request, "Cookie:") > 1
}

// TestConditionsAgree asks both edges the same. Where nginx can't tell which rule a request meets, it
// answers 503, and never what another rule has.
func TestConditionsAgree(t *testing.T) {
	s := conditional(t)
	ours := goEdge(t, s)
	for _, node := range []struct {
		name, version string
		lua           bool
		answers       int
	}{{"lua", "1.22.1", true, 22}, {"plain", "1.22.1", false, 12}, {"newer", "1.23.0", false, 20}} {
		t.Run(node.name, func(t *testing.T) {
			theirs, problems := nginxOf(t, s, node.version, node.lua)
			if node.lua && len(problems) > 0 {
				t.Errorf("problems: %s", problemText(problems))
			}
			compared, closed, answers := 0, 0, map[string]bool{}
			for _, request := range asked {
				if node.version == "1.23.0" && manyFields(request) {
					continue // the nginx here is older than the tree
				}
				want, got := raw(t, ours, request), raw(t, theirs, request)
				compared++
				answers[got] = true
				if got == "503" && len(problems) > 0 {
					closed++
				} else if got != want {
					t.Errorf("%.200q: %.100s, the Go edge says %.100s", request, got, want)
				}
			}
			if len(answers) < node.answers {
				t.Errorf("%d answers are too few to mean anything: %v", len(answers), answers)
			}
			t.Logf("figure conditions_agree_%s %d requests goal %d (%d of them closed)", node.name, compared, compared, closed)
		})
	}
}
