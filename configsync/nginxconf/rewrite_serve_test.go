package nginxconf

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// rewriteTable is that of proxy/redirect_test.go. It has a line more for what nginx refuses.
var rewriteTable = []struct {
	prefix  string
	rewrite gateway.Rewrite
	ask     string
	want    string
}{
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "/api", "/v2"},
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "/api/", "/v2/"},
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "/api/x?a=%2F&b=$1", "/v2/x?a=%2F&b=$1"},
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "/api?a", "/v2?a"},
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "/%61pi/x%20y%2Fz%3Fq", "/v2/x%20y%2Fz%3Fq"},
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "//api//x", "/v2//x"},
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "/api%2fx", "/v2%2fx"},
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "/api/a%24b;c=d,e@f", "/v2/a%24b;c=d,e@f"},
	{"/api", gateway.Rewrite{Prefix: "/"}, "/api", "/"},
	{"/api", gateway.Rewrite{Prefix: "/"}, "/api?x", "/?x"},
	{"/api", gateway.Rewrite{Prefix: "/"}, "/api/", "/"},
	{"/api", gateway.Rewrite{Prefix: "/"}, "/api/x/y", "/x/y"},
	{"/api", gateway.Rewrite{Prefix: "/"}, "/api//x", "//x"},
	{"/api", gateway.Rewrite{Prefix: "/"}, "/api%2Fx", "/%2Fx"},
	{"/", gateway.Rewrite{Prefix: "/v2"}, "/", "/v2/"},
	{"/", gateway.Rewrite{Prefix: "/v2"}, "/x?y", "/v2/x?y"},
	{"/a.b+c", gateway.Rewrite{Prefix: "/v2"}, "/a%2Eb+c/x", "/v2/x"},
	{"/api", gateway.Rewrite{Path: "/one"}, "/api/x%20y?z=1", "/one?z=1"},
	{"/api", gateway.Rewrite{Path: "/one/"}, "/api", "/one/"},
	{"/api", gateway.Rewrite{Host: "in.test"}, "/api/x%20y?z=1", "/api/x%20y?z=1"},
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "/x/../api/y", "400"},
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "/api/x/../../api/y", "400"},
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "/api/x/%2e%2e/y", "400"},
	{"/api", gateway.Rewrite{Prefix: "/v2"}, "/api/x...y/..z", "/v2/x...y/..z"},
}

// hostOf gives each row of a table a host of its own, so that one nginx serves them all.
func hostOf(i int) string { return fmt.Sprintf("h%d.test", i) }

func TestServesRewrites(t *testing.T) {
	tell := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s %s", r.RequestURI, r.Host, r.Header.Get("X-Forwarded-Host"))
	}))
	t.Cleanup(tell.Close)
	s := &gateway.Snapshot{Tenants: tenantAcme(), Upstreams: []*gateway.EffectiveUpstream{upstreamAt("api", "http", tell.Listener.Addr().String(), nil)}}
	for i, c := range rewriteTable {
		rule := routeTo(c.prefix, "api")
		rule.Route.Name, rule.Route.Rewrite = hostOf(i), &c.rewrite
		s.Hosts = append(s.Hosts, &gateway.Host{Name: hostOf(i), Tenant: "acme", Rules: []gateway.Rule{rule}})
	}
	e, problems := newEdge(t, certtest.NewCA(t, "ca", time.Now()), s)
	if len(problems) > 0 {
		t.Errorf("problems: %s", problemText(problems))
	}
	for i, c := range rewriteTable {
		host := hostOf(i) + ":8080"
		want, status := c.want+" "+host+" "+host, 200
		if c.rewrite.Host != "" {
			want = c.want + " " + c.rewrite.Host + " " + host
		}
		if c.want == "400" {
			status = 400
		}
		resp, body := askRaw(t, e.Address, "GET "+c.ask+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		if resp.StatusCode != status || status == 200 && body != want {
			t.Errorf("%s under %+v: %d %s, want %s", c.ask, c.rewrite, resp.StatusCode, body, want)
		}
	}
}

// askRaw sends a request as it stands.
func askRaw(t *testing.T, address, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// redirectTable is that of proxy/redirect_test.go. HOST is the row's.
var redirectTable = []struct {
	redirect  gateway.Redirect
	ask, port string
	want      string // "" is the upstream
}{
	{redirect: gateway.Redirect{Scheme: "https", Status: 301}, ask: "/api/x%20y?a=%2F", want: "301 https://HOST/api/x%20y?a=%2F"},
	{redirect: gateway.Redirect{Scheme: "https", Status: 308}, ask: "/api", port: ":8080", want: "308 https://HOST/api"},
	{redirect: gateway.Redirect{Scheme: "https", Port: 443, Status: 302}, ask: "/api", port: ":8080", want: "302 https://HOST/api"},
	{redirect: gateway.Redirect{Scheme: "https", Port: 8443, Status: 302}, ask: "/api", port: ":8080", want: "302 https://HOST:8443/api"},
	{redirect: gateway.Redirect{Scheme: "http", Status: 302}, ask: "/api"},
	{redirect: gateway.Redirect{Scheme: "http", Port: 8080, Status: 302}, ask: "/api"},
	{redirect: gateway.Redirect{Scheme: "http", Host: "new.test", Status: 302}, ask: "/api", want: "302 http://new.test/api"},
	{redirect: gateway.Redirect{Host: "new.test", Status: 303}, ask: "/api?", port: ":8080", want: "303 http://new.test:8080/api?"},
	{redirect: gateway.Redirect{Host: "new.test", Port: 80, Status: 307}, ask: "/api", port: ":8080", want: "307 http://new.test/api"},
	{redirect: gateway.Redirect{Port: 443, Status: 302}, ask: "/api", port: ":8080", want: "302 http://HOST:443/api"},
	{redirect: gateway.Redirect{Path: "/login", Status: 302}, ask: "/api/x?a=b", port: ":8080", want: "302 http://HOST:8080/login?a=b"},
	{redirect: gateway.Redirect{Prefix: "/", Status: 302}, ask: "/api//evil.test?a", want: "302 http://HOST//evil.test?a"},
	{redirect: gateway.Redirect{Prefix: "/v2", Scheme: "https", Status: 302}, ask: "/api/x", port: ":8080", want: "302 https://HOST/v2/x"},
}

func TestServesRedirects(t *testing.T) {
	ca := certtest.NewCA(t, "ca", time.Now())
	s := &gateway.Snapshot{Tenants: tenantAcme(), Upstreams: []*gateway.EffectiveUpstream{upstreamAt("api", "http", backend(t, "http", ca, "", false), nil)},
		Certificates: []*gateway.EffectiveCertificate{effective(t, "all", ca.Issue(t, time.Now(), "*.test", hostOf(0)), nil, hostOf(0))}}
	for i, c := range redirectTable {
		rule := routeTo("/api", "api")
		rule.Route.Name, rule.Route.Redirect = hostOf(i), &c.redirect
		s.Hosts = append(s.Hosts, &gateway.Host{Name: hostOf(i), Tenant: "acme", Rules: []gateway.Rule{rule}})
	}
	e, problems := newEdge(t, ca, s)
	if len(problems) > 0 {
		t.Errorf("problems: %s", problemText(problems))
	}
	for i, c := range redirectTable {
		resp, _ := askRaw(t, e.Address, "POST "+c.ask+" HTTP/1.1\r\nHost: "+strings.ToUpper(hostOf(i))+c.port+"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
		got, want := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Location")), strings.ReplaceAll(c.want, "HOST", hostOf(i))
		if want == "" && resp.StatusCode != 200 || want != "" && got != want {
			t.Errorf("%s under %+v: %s, want %s", c.ask, c.redirect, got, want)
		}
	}
	// Who came by https is not sent there again.
	if got, _ := ask(t, e.client(true, false), http.MethodGet, "https://"+hostOf(0)+"/api/x", ""); !strings.HasPrefix(got, "200 GET") {
		t.Errorf("over https: %s", got)
	}
}
