package proxy

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// rewriteTable is what an upstream is asked for; nginxconf/rewrite_serve_test.go wants the same
// of nginx.
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
}

func TestRewrites(t *testing.T) {
	tell := func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s %s", r.RequestURI, r.Host, r.Header.Get("X-Forwarded-Host"))
	}
	h1, h2 := httpOrigin(t, tell).addr, h2cOrigin(t, tell)
	for _, c := range rewriteTable {
		for proto, s := range map[string]*gateway.Snapshot{"1": snap([]string{h1}, nil), "2": snap([]string{h2}, speakH2C)} {
			s.Hosts[0].Rules[0].Path.Prefix, s.Hosts[0].Rules[0].Route.Rewrite = c.prefix, &c.rewrite
			cl := start(t, Config{}, Listener{}, s).dial(t)
			cl.send("GET " + c.ask + " HTTP/1.1\r\nHost: shop.test:8080\r\n\r\n")
			_, got := cl.answer("GET")
			host := "shop.test:8080"
			if c.rewrite.Host != "" {
				host = c.rewrite.Host
			}
			if want := c.want + " " + host + " shop.test:8080"; got != want {
				t.Errorf("%s under %+v over %s: %s, want %s", c.ask, c.rewrite, proto, got, want)
			}
		}
	}
}

// redirectTable is where clients are sent from "prefix /api"; nginxconf/rewrite_serve_test.go
// wants the same of nginx.
var redirectTable = []struct {
	redirect  gateway.Redirect
	ask, host string
	want      string // "" is the upstream
}{
	{gateway.Redirect{Scheme: "https", Status: 301}, "/api/x%20y?a=%2F", "Shop.test", "301 https://shop.test/api/x%20y?a=%2F"},
	{gateway.Redirect{Scheme: "https", Status: 308}, "/api", "shop.test:8080", "308 https://shop.test/api"},
	{gateway.Redirect{Scheme: "https", Port: 443, Status: 302}, "/api", "shop.test:8080", "302 https://shop.test/api"},
	{gateway.Redirect{Scheme: "https", Port: 8443, Status: 302}, "/api", "shop.test:8080", "302 https://shop.test:8443/api"},
	{gateway.Redirect{Scheme: "http", Status: 302}, "/api", "shop.test", ""},
	{gateway.Redirect{Scheme: "http", Port: 8080, Status: 302}, "/api", "shop.test", ""},
	{gateway.Redirect{Scheme: "http", Host: "new.test", Status: 302}, "/api", "shop.test", "302 http://new.test/api"},
	{gateway.Redirect{Host: "new.test", Status: 303}, "/api?", "shop.test:8080", "303 http://new.test:8080/api?"},
	{gateway.Redirect{Host: "new.test", Port: 80, Status: 307}, "/api", "shop.test:8080", "307 http://new.test/api"},
	{gateway.Redirect{Port: 443, Status: 302}, "/api", "shop.test:8080", "302 http://shop.test:443/api"},
	{gateway.Redirect{Path: "/login", Status: 302}, "/api/x?a=b", "shop.test:8080", "302 http://shop.test:8080/login?a=b"},
	{gateway.Redirect{Prefix: "/", Status: 302}, "/api//evil.test?a", "shop.test", "302 http://shop.test//evil.test?a"},
	{gateway.Redirect{Prefix: "/v2", Scheme: "https", Status: 302}, "/api/x", "shop.test:8080", "302 https://shop.test/v2/x"},
}

func TestRedirects(t *testing.T) {
	o := rawOrigin(t, hello, false)
	for _, c := range redirectTable {
		s := snap([]string{o.addr}, nil)
		s.Hosts[0].Rules[0].Path.Prefix, s.Hosts[0].Rules[0].Route.Redirect = "/api", &c.redirect
		e := start(t, Config{}, Listener{}, s)
		cl := e.dial(t)
		for _, body := range []string{"", "hello"} { // the connection goes on
			cl.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", c.ask, c.host, len(body), body))
			if body != "" && c.want == "" {
				break // the origin expects none
			}
			resp, _ := cl.answer("POST")
			got := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Location"))
			if c.want == "" && resp.StatusCode != 200 || c.want != "" && (got != c.want || resp.ContentLength != 0 || resp.Close) {
				t.Errorf("%+v: %s, want %s", c.redirect, got, c.want)
			}
		}
		if c.want == "" {
			continue
		}
		req, err := http.NewRequest("GET", "http://"+e.addr+c.ask, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		resp, err := priorKnowledge(t).Transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Location")); got != c.want {
			t.Errorf("%+v over HTTP/2: %s, want %s", c.redirect, got, c.want)
		}
	}
}

// The scheme is that of the client, whom a trusted peer speaks for; nobody else does.
func TestRedirectBehindAPeer(t *testing.T) {
	o := rawOrigin(t, hello, false)
	for _, c := range []struct {
		trusted bool
		proto   string
		want    int
	}{{true, "https", 200}, {true, "http, HTTPS", 200}, {true, "http", 301}, {true, "gopher", 301}, {false, "https", 301}} {
		l := Listener{}
		if c.trusted {
			l.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}
		s := snap([]string{o.addr}, nil)
		s.Hosts[0].Rules[0].Route.Redirect = &gateway.Redirect{Scheme: "https", Status: 301}
		cl := start(t, Config{}, l, s).dial(t)
		cl.send("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: " + c.proto + "\r\n\r\n")
		if resp, _ := cl.answer("GET"); resp.StatusCode != c.want {
			t.Errorf("%+v: %d", c, resp.StatusCode)
		}
	}
	// Without a host nobody can be told where to.
	s := snap(nil, nil)
	s.Hosts[0].Rules[0].Route.Redirect = &gateway.Redirect{Path: "/x", Status: 302}
	cl := start(t, Config{}, Listener{}, s).dial(t)
	cl.send("GET / HTTP/1.0\r\n\r\n")
	if resp, body := cl.answer("GET"); resp.StatusCode != 400 || !strings.Contains(body, "host") {
		t.Errorf("%d, %s", resp.StatusCode, body)
	}
}
