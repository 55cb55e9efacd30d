package nginxconf

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// tellingBackend answers with the fields that it was asked with, and fields of its own.
func tellingBackend(t *testing.T, h2c bool) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), http.Header{"Etag": {`"a"`}, "X-Powered-By": {"old", "older"}, "Vary": {"a"}, "Cache-Control": {"public", "max-age=9"}, "Content-Type": {"text/plain"}})
		_, _ = fmt.Fprint(w, spoken(r.Header, "Accept", "Cookie", "Via", "X-Debug", "X-From", "X-Forwarded-Host"), " ", r.Host)
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(!h2c)
	s.Config.Protocols.SetUnencryptedHTTP2(h2c)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// spoken writes down some fields, sorted.
func spoken(h http.Header, names ...string) string {
	var out []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		if v, ok := h[name]; ok {
			out = append(out, fmt.Sprintf("%s=%q", name, v))
		}
	}
	return strings.Join(out, " ")
}

// TestServesHeads: heads are changed as proxy/edits_test.go wants it of the Go edge.
func TestServesHeads(t *testing.T) {
	request := &gateway.HeaderEdit{Set: map[string]string{"x-from": "edge: one; $host", "accept": "a/b"}, Remove: []string{"cookie", "x-debug"}}
	response := &gateway.HeaderEdit{Set: map[string]string{"cache-control": "no-cache", "content-type": "x/y", "strict-transport-security": "max-age=1"}, Add: map[string]string{"vary": "b"}, Remove: []string{"etag", "x-powered-by"}}
	s := &gateway.Snapshot{Tenants: tenantAcme(), Hosts: []*gateway.Host{{Name: "shop.test", Tenant: "acme"}},
		Upstreams: []*gateway.EffectiveUpstream{upstreamAt("api", "http", tellingBackend(t, false), nil), upstreamAt("dead", "http", "127.0.0.1:1", nil), upstreamAt("h2c", "h2c", tellingBackend(t, true), nil)}}
	rules := []gateway.Rule{routeTo("/api", "api"), routeTo("/h2c", "h2c"), routeTo("/dead", "dead"), routeTo("/none", "gone"), routeTo("/fixed"), routeTo("/guarded", "api")}
	rules[4].Route.Respond = &gateway.Respond{Status: 418, Body: "no", Headers: map[string]string{"etag": `"x"`, "x-a": "b", "content-type": "text/html", "vary": "a"}}
	rules[5].Route.IPAccess = &gateway.IPAccess{Deny: []string{"127.0.0.0/8"}}
	for _, rule := range rules {
		rule.Route.RequestHeaders, rule.Route.ResponseHeaders = request, response
	}
	s.Hosts[0].Rules = rules
	ca := certtest.NewCA(t, "ca", time.Now())
	e, problems := newEdge(t, ca, s)
	if len(problems) > 0 {
		t.Errorf("problems: %s", problemText(problems))
	}
	const asked = `Accept=["a/b"] Via=["1.0 client"] X-Forwarded-Host=["shop.test"] X-From=["edge: one; $host"] shop.test`
	for path, want := range map[string]string{
		"/api":     `200 Cache-Control=["no-cache"] Content-Type=["x/y"] Strict-Transport-Security=["max-age=1"] Vary=["a" "b"] ` + asked,
		"/h2c":     `200 Cache-Control=["no-cache"] Content-Type=["x/y"] Strict-Transport-Security=["max-age=1"] Vary=["a" "b"] ` + asked,
		"/dead":    `502 Cache-Control=["no-cache"] Content-Type=["text/html"] Strict-Transport-Security=["max-age=1"] Vary=["b"] <html>`,
		"/none":    `503 Cache-Control=["no-cache"] Content-Type=["text/html"] Strict-Transport-Security=["max-age=1"] Vary=["b"] <html>`,
		"/guarded": `403 Cache-Control=["no-cache"] Content-Type=["text/html"] Strict-Transport-Security=["max-age=1"] Vary=["b"] <html>`,
		"/fixed":   `418 Cache-Control=["no-cache"] Content-Type=["text/html"] Strict-Transport-Security=["max-age=1"] Vary=["a" "b"] X-A=["b"] no`,
	} {
		req, err := http.NewRequest(http.MethodGet, "http://shop.test"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"X-FROM": {"client", "client"}, "x-from": {"client"}, "Cookie": {"a=b"}, "x-Debug": {"1"}, "Via": {"1.0 client"}, "Accept": {"*/*"}}
		client := e.client(false, false)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		client.CloseIdleConnections()
		got := fmt.Sprint(res.StatusCode, " ", spoken(res.Header, "Cache-Control", "Content-Type", "Etag", "Strict-Transport-Security", "Vary", "X-A", "X-Powered-By"), " ", strings.TrimSpace(string(body)))
		if !strings.HasPrefix(got, want) || err != nil {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// TestServesAddedHeads: the tree is the one for newer versions, and this nginx agrees as long as
// a client sends a field once.
func TestServesAddedHeads(t *testing.T) {
	rule := routeTo("/", "api")
	rule.Route.RequestHeaders = &gateway.HeaderEdit{Add: map[string]string{"via": "1.1 $x"}}
	s := &gateway.Snapshot{Tenants: tenantAcme(), Hosts: []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{rule}}},
		Upstreams: []*gateway.EffectiveUpstream{upstreamAt("api", "http", tellingBackend(t, false), nil)}}
	e, problems := newEdgeOf(t, certtest.NewCA(t, "ca", time.Now()), s, "1.23.0")
	if len(problems) > 0 {
		t.Errorf("problems: %s", problemText(problems))
	}
	for sent, want := range map[string]string{"": `Via=["1.1 $x"]`, "1.0 a": `Via=["1.0 a, 1.1 $x"]`} {
		var header []string
		if sent != "" {
			header = []string{"Via", sent}
		}
		if got, _ := ask(t, e.client(false, false), http.MethodGet, "http://shop.test/", "", header...); !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", sent, got, want)
		}
	}
}
