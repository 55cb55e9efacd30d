package proxy

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// tlsOrigin serves cfg with net/http and counts full and resumed handshakes.
type tlsOrigin struct {
	*origin
	full, resumed atomic.Int64
}

func startTLSOrigin(t testing.TB, cfg *tls.Config, h http.HandlerFunc) *tlsOrigin {
	t.Helper()
	o := &tlsOrigin{}
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		if s.DidResume {
			o.resumed.Add(1)
		} else {
			o.full.Add(1)
		}
		return nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.origin = &origin{addr: ln.Addr().String(), ln: ln}
	srv := &http.Server{Handler: h, TLSConfig: cfg, ErrorLog: log.New(io.Discard, "", 0)}
	o.wg.Go(func() { _ = srv.ServeTLS(ln, "", "") })
	t.Cleanup(func() { _ = srv.Close(); o.wg.Wait() })
	return o
}

// toTLS makes a snapshot whose upstream is over TLS.
func toTLS(spec *gateway.UpstreamTLS, certs []*gateway.EffectiveCertificate, addrs ...string) *gateway.Snapshot {
	s := snap(addrs, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) { u.Protocol, u.TLS = "https", spec })
	s.Certificates = certs
	return s
}

// Each way of verifying an endpoint, and what the client is told when it fails.
func TestUpstreamTLS(t *testing.T) {
	ca, other := certtest.NewCA(t, "ca", time.Now()), certtest.NewCA(t, "other", time.Now())
	now := time.Now()
	serve := func(cfg *tls.Config, p certtest.Pair) string {
		cfg.Certificates = []tls.Certificate{p.TLS(t)}
		return startTLSOrigin(t, cfg, func(w http.ResponseWriter, r *http.Request) {
			name := "nobody"
			if len(r.TLS.PeerCertificates) > 0 {
				name = r.TLS.PeerCertificates[0].DNSNames[0]
			}
			_, _ = io.WriteString(w, r.TLS.ServerName+" for "+name)
		}).addr
	}
	named := serve(&tls.Config{}, ca.Issue(t, now, "api.internal"))
	byIP := serve(&tls.Config{}, ca.Issue(t, now, "127.0.0.1"))
	expired := serve(&tls.Config{}, ca.IssueFor(t, now.Add(-48*time.Hour), now.Add(-time.Hour), "api.internal"))
	mutual := serve(&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool, MaxVersion: tls.VersionTLS12}, ca.Issue(t, now, "api.internal"))
	old := serve(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, ca.Issue(t, now, "api.internal"))
	plain := startOrigin(t, func(_ *origin, c net.Conn) {
		_, _ = io.WriteString(c, hello)
		_, _ = c.Read(make([]byte, 1))
	}).addr
	own := effective("own", ca.Issue(t, now, "edge.internal"), nil)
	for _, c := range []struct {
		name, addr string
		spec       gateway.UpstreamTLS
		status     int
		body       string
	}{
		{"CA and name", named, gateway.UpstreamTLS{CA: ca.PEM, ServerName: "api.internal"}, 200, "api.internal for nobody"},
		{"CA and address", byIP, gateway.UpstreamTLS{CA: ca.PEM}, 200, " for nobody"},
		{"another name", named, gateway.UpstreamTLS{CA: ca.PEM, ServerName: "web.internal"}, 502, "upstream_tls_name"},
		{"no name", named, gateway.UpstreamTLS{CA: ca.PEM}, 502, "upstream_tls_name"},
		{"another CA", named, gateway.UpstreamTLS{CA: other.PEM, ServerName: "api.internal"}, 502, "upstream_tls_authority"},
		{"the system's CAs", named, gateway.UpstreamTLS{ServerName: "api.internal"}, 502, "upstream_tls_authority"},
		{"expired", expired, gateway.UpstreamTLS{CA: ca.PEM, ServerName: "api.internal"}, 502, "upstream_tls_date"},
		{"not verified", expired, gateway.UpstreamTLS{InsecureSkipVerify: true, ServerName: "x.internal"}, 200, "x.internal for nobody"},
		{"own certificate", mutual, gateway.UpstreamTLS{CA: ca.PEM, ServerName: "api.internal", Certificate: "own"}, 200, "api.internal for edge.internal"},
		{"without the own certificate", mutual, gateway.UpstreamTLS{CA: ca.PEM, ServerName: "api.internal"}, 502, "upstream_tls_refused"},
		{"an own certificate that is not there", mutual, gateway.UpstreamTLS{CA: ca.PEM, ServerName: "api.internal", Certificate: "none"}, 502, "upstream_tls_config"},
		{"bad CA", named, gateway.UpstreamTLS{CA: "x", ServerName: "api.internal"}, 502, "upstream_tls_config"},
		{"TLS 1.1", old, gateway.UpstreamTLS{CA: ca.PEM, ServerName: "api.internal"}, 502, "upstream_tls_refused"},
		{"no TLS", plain, gateway.UpstreamTLS{CA: ca.PEM, ServerName: "api.internal"}, 502, "upstream_tls_handshake"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := start(t, Config{}, Listener{}, toTLS(&c.spec, []*gateway.EffectiveCertificate{own}, c.addr))
			resp, body := e.dial(t).get("/")
			if resp.StatusCode != c.status || !strings.Contains(body, c.body) {
				t.Fatalf("%d %q, want %d %q", resp.StatusCode, body, c.status, c.body)
			}
			if f := e.observed.failures(); c.status == 502 && (len(f) != 1 || f[0] != gateway.FailureConnect || e.observed.get()[0].Reason != c.body) {
				t.Errorf("health was told %+v", e.observed.get())
			}
		})
	}
}

// An endpoint that cannot be verified is passed over, as one that is down is.
func TestUpstreamTLSTriesTheNext(t *testing.T) {
	ca, other := certtest.NewCA(t, "ca", time.Now()), certtest.NewCA(t, "other", time.Now())
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
	bad := startTLSOrigin(t, &tls.Config{Certificates: []tls.Certificate{other.Issue(t, time.Now(), "a.internal").TLS(t)}}, ok)
	good := startTLSOrigin(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, time.Now(), "a.internal").TLS(t)}}, ok)
	e := start(t, Config{}, Listener{}, toTLS(&gateway.UpstreamTLS{CA: ca.PEM, ServerName: "a.internal"}, nil, bad.addr, good.addr))
	c := e.dial(t)
	for range 10 {
		if resp, body := c.get("/"); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
}

// Connections are kept and sessions resumed; settings that change apply to the next request.
func TestUpstreamTLSKeepsAndRenews(t *testing.T) {
	ca, other := certtest.NewCA(t, "ca", time.Now()), certtest.NewCA(t, "other", time.Now())
	leaf := ca.Issue(t, time.Now(), "a.internal")
	o := startTLSOrigin(t, &tls.Config{Certificates: []tls.Certificate{leaf.TLS(t)}}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/close" {
			w.Header().Set("Connection", "close")
		}
		_, _ = io.WriteString(w, "ok")
	})
	good := &gateway.UpstreamTLS{CA: ca.PEM, ServerName: "a.internal"}
	e := start(t, Config{}, Listener{}, toTLS(good, nil, o.addr))
	c := e.dial(t)
	want := func(status int, full, resumed int64) {
		t.Helper()
		resp, body := c.get("/")
		if resp.StatusCode != status || o.full.Load() != full || o.resumed.Load() != resumed {
			t.Fatalf("%d %q with %d full and %d resumed handshakes, want %d with %d and %d", resp.StatusCode, body, o.full.Load(), o.resumed.Load(), status, full, resumed)
		}
	}
	want(200, 1, 0)
	want(200, 1, 0)
	same := *good
	e.Apply(toTLS(&same, nil, o.addr)) // another snapshot that says the same
	want(200, 1, 0)
	if resp, _ := c.get("/close"); resp.StatusCode != 200 {
		t.Fatal(resp.StatusCode)
	}
	want(200, 1, 1)
	e.Apply(toTLS(&gateway.UpstreamTLS{CA: other.PEM, ServerName: "a.internal"}, nil, o.addr))
	if resp, body := c.get("/"); resp.StatusCode != 502 || !strings.Contains(body, "upstream_tls_authority") {
		t.Fatalf("a kept connection outlived the CA: %d %s", resp.StatusCode, body)
	}
	e.Apply(snap([]string{o.addr}, nil)) // plain HTTP to a TLS port: net/http answers 400
	if resp, _ := c.get("/"); resp.StatusCode != 400 {
		t.Fatalf("plain: %d", resp.StatusCode)
	}
}

// A renewed certificate of ours is shown to the endpoints although the upstream is the same.
func TestUpstreamTLSOwnRenewed(t *testing.T) {
	ca := certtest.NewCA(t, "ca", time.Now())
	o := startTLSOrigin(t, &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(t, time.Now(), "api.internal").TLS(t)},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool,
	}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].DNSNames[0])
	})
	certificate := func(name string) []*gateway.EffectiveCertificate {
		return []*gateway.EffectiveCertificate{effective("own", ca.Issue(t, time.Now(), name), nil)}
	}
	first := toTLS(&gateway.UpstreamTLS{CA: ca.PEM, ServerName: "api.internal", Certificate: "own"}, certificate("old.internal"), o.addr)
	e := start(t, Config{}, Listener{}, first)
	c := e.dial(t)
	if _, body := c.get("/"); body != "old.internal" {
		t.Fatalf("%q", body)
	}
	second := *first
	second.Certificates = certificate("new.internal")
	e.Apply(&second)
	if _, body := c.get("/"); body != "new.internal" {
		t.Fatalf("%q", body)
	}
}

// A body that ends with the connection is whole only when the endpoint says goodbye.
func TestUpstreamTLSTruncation(t *testing.T) {
	ca := certtest.NewCA(t, "ca", time.Now())
	cert := ca.Issue(t, time.Now(), "a.internal").TLS(t)
	o := startOrigin(t, func(o *origin, nc net.Conn) {
		c := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}})
		head := make([]byte, 4096)
		n, err := c.Read(head)
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome text")
		if strings.HasPrefix(string(head[:n]), "GET /whole ") {
			_ = c.CloseWrite()
		}
		_ = nc.(*net.TCPConn).CloseWrite()
	})
	e := start(t, Config{}, Listener{}, toTLS(&gateway.UpstreamTLS{CA: ca.PEM, ServerName: "a.internal"}, nil, o.addr))
	if _, body := e.dial(t).get("/whole"); body != "some text" {
		t.Errorf("whole: %q", body)
	}
	c := e.dial(t)
	c.send("GET /cut HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, err := http.ReadResponse(c.br, nil); err == nil {
		if body, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("a cut body was passed on as whole: %q", body)
		}
	}
}
