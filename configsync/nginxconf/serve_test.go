package nginxconf

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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
	"github.com/sluice-gateway/sluice/gateway/certtest"
	"github.com/sluice-gateway/sluice/test/freeport"
)

// edge is a real nginx that serves a rendered tree.
type edge struct {
	*agenttest.Nginx
	tls string
	ca  *certtest.CA
}

// newEdge renders s as it is for a node of the installed nginx and starts that,
// with more lines in the block http.
func newEdge(t *testing.T, ca *certtest.CA, s *gateway.Snapshot, lines ...string) (*edge, []gateway.Problem) {
	t.Helper()
	return newEdgeOf(t, ca, s, "1.22.1", lines...)
}

// newEdgeOf renders s as for another version.
func newEdgeOf(t *testing.T, ca *certtest.CA, s *gateway.Snapshot, version string, lines ...string) (*edge, []gateway.Problem) {
	t.Helper()
	e := &edge{Nginx: agenttest.New(t), tls: freeport.Address(t), ca: ca}
	current := filepath.Join(e.TreeDir, "current")
	tree, problems := Render(s, "shared", gateway.NodeFacts{NginxVersion: version, Modules: allModules, TreePath: current, Listen: []string{e.Address}, ListenTLS: []string{e.tls}})
	for _, f := range tree.Files {
		name := filepath.Join(current, f.Path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(f.Data), f.Perm()); err != nil {
			t.Fatal(err)
		}
	}
	e.WriteConf(t, strings.Join(lines, "\n"))
	e.Start(t)
	return e, problems
}

// client speaks TLS when secure, and HTTP/2 with it when h2; own is shown to a server that
// asks.
func (e *edge) client(secure, h2 bool, own ...tls.Certificate) *http.Client {
	tr := &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: e.ca.Pool},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			if secure {
				return d.DialContext(ctx, "tcp", e.tls)
			}
			return d.DialContext(ctx, "tcp", e.Address)
		}}
	if len(own) > 0 { // shown also to a server that does not name its issuer
		tr.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own[0], nil }
	}
	tr.Protocols = new(http.Protocols)
	tr.Protocols.SetHTTP1(!h2)
	tr.Protocols.SetHTTP2(h2)
	return &http.Client{Transport: tr, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask sends a request and returns "STATUS BODY", or what the handshake failed with.
func ask(t *testing.T, c *http.Client, method, url, body string, header ...string) (string, *http.Response) {
	t.Helper()
	defer c.CloseIdleConnections()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		return "error " + err.Error(), nil
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return "error " + err.Error(), res
	}
	return fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(b))), res
}

// echo answers what it was asked, over which protocol and by whom.
func echo(w http.ResponseWriter, req *http.Request) {
	b, err := io.ReadAll(req.Body)
	who := ""
	if req.TLS != nil {
		who = req.TLS.ServerName
		for _, c := range req.TLS.PeerCertificates {
			who += " " + c.DNSNames[0]
		}
	}
	w.Header().Set("Trailer", "X-After")
	_, _ = fmt.Fprintf(w, "%s %s %s %s body=%d %v from=%s tls=%s", req.Method, req.Proto, req.Host, req.URL, len(b), err, req.Header.Get("X-Forwarded-For"), who)
	w.Header().Set("X-After", "done")
}

// backend starts a server for a protocol, whose certificate is for name; it asks for client
// certificates if own is set.
func backend(t *testing.T, protocol string, ca *certtest.CA, name string, own bool) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	s.Config.Protocols = new(http.Protocols)
	switch protocol {
	case "h2c":
		s.Config.Protocols.SetUnencryptedHTTP2(true)
	case "h2":
		s.Config.Protocols.SetHTTP2(true)
	default:
		s.Config.Protocols.SetHTTP1(true)
	}
	if protocol == "https" || protocol == "h2" {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, time.Now(), name).TLS(t)}, ClientCAs: ca.Pool}
		if own {
			s.TLS.ClientAuth = tls.RequireAndVerifyClientCert
		}
		s.EnableHTTP2 = protocol == "h2"
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// upstreamAt is an upstream with one endpoint.
func upstreamAt(name, protocol, address string, t *gateway.UpstreamTLS) *gateway.EffectiveUpstream {
	return &gateway.EffectiveUpstream{Key: gateway.UpstreamKey{Tenant: "acme", Name: name}, Protocol: protocol, TLS: t,
		Endpoints: []gateway.Endpoint{{Address: address, Weight: 1, InRotation: true}}}
}

// routeTo is a rule that sends a prefix to upstreams by equal weights.
func routeTo(prefix string, upstreams ...string) gateway.Rule {
	r := &gateway.EffectiveRoute{Tenant: "acme", Name: "r" + strings.ReplaceAll(prefix, "/", "-"), MaxBodySize: 10 << 20}
	for _, u := range upstreams {
		r.Targets = append(r.Targets, gateway.Target{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: u}, Weight: 1})
	}
	return gateway.Rule{Path: gateway.PathMatch{Prefix: prefix}, Route: r}
}

func tenantAcme() []*gateway.Tenant {
	return []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}}
}

func effective(t *testing.T, name string, p certtest.Pair, auth *gateway.ClientAuth, hosts ...string) *gateway.EffectiveCertificate {
	t.Helper()
	return &gateway.EffectiveCertificate{Key: gateway.CertificateKey{Tenant: "acme", Name: name}, Hosts: hosts, Chain: p.Chain, PrivateKey: gateway.Secret(p.Key), ClientAuth: auth}
}

// TestServesProtocols: nginx speaks to endpoints as their upstream says, and not to those that
// it can't verify.
func TestServesProtocols(t *testing.T) {
	ca, stranger := certtest.NewCA(t, "ca", time.Now()), certtest.NewCA(t, "stranger", time.Now())
	verify := func(ca *certtest.CA, name string) *gateway.UpstreamTLS {
		return &gateway.UpstreamTLS{CA: ca.PEM, ServerName: name}
	}
	secure := backend(t, "https", ca, "api.internal", false)
	asking := &gateway.UpstreamTLS{CA: ca.PEM, ServerName: "api.internal", Certificate: "edge"}
	s := &gateway.Snapshot{Tenants: tenantAcme(),
		Certificates: []*gateway.EffectiveCertificate{effective(t, "edge", ca.Issue(t, time.Now(), "edge.test"), nil)},
		Upstreams: []*gateway.EffectiveUpstream{
			upstreamAt("alien", "https", secure, verify(stranger, "api.internal")),
			upstreamAt("asks", "https", backend(t, "https", ca, "api.internal", true), asking),
			upstreamAt("h2", "h2", backend(t, "h2", ca, "api.internal", true), asking),
			upstreamAt("h2c", "h2c", backend(t, "h2c", ca, "", false), nil),
			upstreamAt("http", "http", backend(t, "http", ca, "", false), nil),
			upstreamAt("https", "https", secure, verify(ca, "api.internal")),
			upstreamAt("loose", "https", secure, &gateway.UpstreamTLS{InsecureSkipVerify: true}),
			upstreamAt("nameless", "https", secure, &gateway.UpstreamTLS{CA: ca.PEM}),
			upstreamAt("wrong", "https", secure, verify(ca, "other.internal")),
		},
		Hosts: []*gateway.Host{{Name: "shop.test", Tenant: "acme"}}}
	for _, u := range s.Upstreams {
		s.Hosts[0].Rules = append(s.Hosts[0].Rules, routeTo("/"+u.Key.Name, u.Key.Name))
	}
	s.Hosts[0].Rules = append(s.Hosts[0].Rules, routeTo("/mix", "http", "https"), routeTo("/clash", "http", "h2c"))
	e, problems := newEdge(t, ca, s)
	for _, c := range []struct{ path, want string }{
		{"/http/x?y=1", "200 POST HTTP/1.1 shop.test /http/x?y=1 body=100000 <nil> from=127.0.0.1 tls="},
		{"/https/x", "200 POST HTTP/1.1 shop.test /https/x body=100000 <nil> from=127.0.0.1 tls=api.internal"},
		{"/asks/x", "200 POST HTTP/1.1 shop.test /asks/x body=100000 <nil> from=127.0.0.1 tls=api.internal edge.test"},
		{"/h2c/x?y=1", "200 POST HTTP/2.0 shop.test /h2c/x?y=1 body=100000 <nil> from=127.0.0.1 tls="},
		{"/h2/x", "200 POST HTTP/2.0 shop.test /h2/x body=100000 <nil> from=127.0.0.1 tls=api.internal edge.test"},
		{"/loose/x", "200 POST HTTP/1.1 shop.test /loose/x body=100000 <nil> from=127.0.0.1 tls="},
		{"/alien/x", "502"}, {"/wrong/x", "502"}, {"/nameless/x", "503"}, {"/clash/x", "503"},
	} {
		got, _ := ask(t, e.client(false, false), http.MethodPost, "http://shop.test"+c.path, strings.Repeat("b", 100000))
		if len(c.want) == 3 && got[:3] == c.want {
			continue
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.path, got, c.want)
		}
	}
	mixed := map[bool]bool{}
	for range 60 {
		got, _ := ask(t, e.client(false, false), http.MethodGet, "http://shop.test/mix/x", "")
		mixed[strings.Contains(got, "tls=api.internal")] = true
		if !strings.HasPrefix(got, "200 ") {
			t.Fatalf("a split between http and https: %s", got)
		}
	}
	if len(mixed) != 2 {
		t.Error("a split between http and https used one of them only")
	}
	for _, want := range []string{"Upstream acme/nameless spec.tls.serverName", "Route acme/r-clash spec.to"} {
		if !strings.Contains(problemText(problems), "not_portable: "+want) {
			t.Errorf("no problem %q in:\n%s", want, problemText(problems))
		}
	}
}

// TestServesTLS: names are served with their own certificates, clients show theirs where the
// host wants it, and nobody gets around that.
func TestServesTLS(t *testing.T) {
	ca := certtest.NewCA(t, "ca", time.Now())
	issue := func(names ...string) certtest.Pair { return ca.Issue(t, time.Now(), names...) }
	require, request := &gateway.ClientAuth{Mode: "require", CA: ca.PEM}, &gateway.ClientAuth{Mode: "request", CA: ca.PEM}
	rules := []gateway.Rule{routeTo("/", "api")}
	s := &gateway.Snapshot{Tenants: tenantAcme(),
		Upstreams: []*gateway.EffectiveUpstream{upstreamAt("api", "http", backend(t, "http", ca, "", false), nil)},
		Hosts: []*gateway.Host{{Name: "*.wild.test", Tenant: "acme", Rules: rules}, {Name: "asked.test", Tenant: "acme", Rules: rules},
			{Name: "bare.test", Tenant: "acme", Rules: rules}, {Name: "guarded.test", Tenant: "acme", Rules: rules}, {Name: "shop.test", Tenant: "acme", Rules: rules}},
		Certificates: []*gateway.EffectiveCertificate{
			effective(t, "asked", issue("asked.test"), request, "asked.test"),
			effective(t, "guarded", issue("guarded.test"), require, "guarded.test"),
			effective(t, "inner", issue("inner.wild.test"), require, "inner.wild.test"),
			effective(t, "shop", issue("shop.test"), nil, "shop.test"),
			effective(t, "wild", issue("*.wild.test"), nil, "*.wild.test"),
		}}
	e, problems := newEdge(t, ca, s)
	if len(problems) > 0 {
		t.Errorf("problems: %s", problemText(problems))
	}
	own := issue("client.test").TLS(t)
	alien := certtest.NewCA(t, "alien", time.Now()).Issue(t, time.Now(), "client.test").TLS(t)
	for _, c := range []struct {
		name, url, host string
		h2              bool
		own             []tls.Certificate
		want            string
	}{
		{"plain", "http://shop.test/", "", false, nil, "200"},
		{"secure", "https://shop.test/", "", false, nil, "200"},
		{"http2", "https://shop.test/", "", true, nil, "200"},
		{"wildcard", "https://a.wild.test/", "", true, nil, "200"},
		{"no certificate for it", "https://bare.test/", "", false, nil, "unrecognized name"},
		{"nobody's", "https://gone.test/", "", false, nil, "unrecognized name"},
		{"nobody's in the clear", "http://gone.test/", "", false, nil, "404"},
		{"guarded, nothing shown", "https://guarded.test/", "", false, nil, "400"},
		{"guarded, shown", "https://guarded.test/", "", false, []tls.Certificate{own}, "200"},
		{"guarded, of strangers", "https://guarded.test/", "", false, []tls.Certificate{alien}, "400"},
		{"guarded, in the clear", "http://guarded.test/", "", false, nil, "421"},
		{"guarded behind another name", "https://shop.test/", "guarded.test", false, []tls.Certificate{own}, "421"},
		{"guarded inside a wildcard", "https://inner.wild.test/", "", false, nil, "400"},
		{"guarded inside a wildcard, in the clear", "http://inner.wild.test/", "", false, nil, "421"},
		{"guarded inside a wildcard behind another name", "https://a.wild.test/", "inner.wild.test", false, nil, "421"},
		{"nobody's behind another name", "https://shop.test/", "gone.test", false, nil, "421"},
		{"without a certificate behind another name", "https://shop.test/", "bare.test", false, nil, "421"},
		{"asked, nothing shown", "https://asked.test/", "", false, nil, "200"},
		{"asked, of strangers", "https://asked.test/", "", false, []tls.Certificate{alien}, "400"},
		{"asked, in the clear", "http://asked.test/", "", false, nil, "200"},
	} {
		client := e.client(strings.HasPrefix(c.url, "https"), c.h2, c.own...)
		req, err := http.NewRequest(http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		got, res := "", (*http.Response)(nil)
		if res, err = client.Do(req); err != nil {
			got = err.Error()
		} else {
			got = res.Status + " " + res.Proto
			_ = res.Body.Close()
		}
		client.CloseIdleConnections()
		if !strings.Contains(got, c.want) || c.h2 != strings.HasSuffix(got, "HTTP/2.0") {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	var unknown x509.UnknownAuthorityError
	if _, err := tls.Dial("tcp", e.tls, &tls.Config{ServerName: "shop.test"}); !errors.As(err, &unknown) {
		t.Errorf("a client that does not know our authority: %v", err)
	}
}

// TestServesAccess: whoever may not ask gets 403, also where nginx answers by itself.
func TestServesAccess(t *testing.T) {
	ca := certtest.NewCA(t, "ca", time.Now())
	in, out := &gateway.IPAccess{Allow: []string{"127.0.0.0/8"}, Deny: []string{"0.0.0.0/0"}}, &gateway.IPAccess{Allow: []string{"127.0.0.0/8", "10.0.0.0/8"}, Deny: []string{"127.0.0.1/32"}}
	s := &gateway.Snapshot{Tenants: tenantAcme(), Hosts: []*gateway.Host{{Name: "shop.test", Tenant: "acme"}},
		Upstreams: []*gateway.EffectiveUpstream{upstreamAt("api", "http", backend(t, "http", ca, "", false), nil)}}
	for _, c := range []struct {
		path   string
		access *gateway.IPAccess
		fixed  bool
	}{{"/in", in, false}, {"/out", out, false}, {"/in-fixed", in, true}, {"/out-fixed", out, true}} {
		rule := routeTo(c.path, "api")
		rule.Route.IPAccess = c.access
		if c.fixed {
			rule.Route.Targets, rule.Route.Respond = nil, &gateway.Respond{Status: 200, Body: "secret"}
		}
		s.Hosts[0].Rules = append(s.Hosts[0].Rules, rule)
	}
	e, problems := newEdge(t, ca, s)
	if len(problems) > 0 {
		t.Errorf("problems: %s", problemText(problems))
	}
	for path, want := range map[string]string{"/in/x": "200", "/out/x": "403", "/in-fixed": "200 secret", "/out-fixed": "403", "/out-fixed/x": "403"} {
		if got, _ := ask(t, e.client(false, false), http.MethodGet, "http://shop.test"+path, ""); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
