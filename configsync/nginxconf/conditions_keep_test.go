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

// when is a rule with methods, for a route of its own name.
func when(name string, rule gateway.Rule, methods ...string) gateway.Rule {
	rule.Route.Name, rule.Methods = name, methods
	return rule
}

// switching answers with what it was sent, after it has switched protocols.
func switching(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, b, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		_, _ = io.Copy(c, io.LimitReader(b, 4))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestConditionsKeep: a rule that was picked serves as one that takes its whole path.
func TestConditionsKeep(t *testing.T) {
	ca, copies := certtest.NewCA(t, "ca", time.Now()), make(chan string, 9)
	mirror := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { copies <- r.Method + " " + r.RequestURI }))
	t.Cleanup(mirror.Close)
	s := &gateway.Snapshot{Tenants: tenantAcme(), NginxDirectives: []string{"add_header"},
		Certificates: []*gateway.EffectiveCertificate{effective(t, "shop", ca.Issue(t, time.Now(), "*.shop.test"), nil, "*.shop.test")},
		Upstreams: []*gateway.EffectiveUpstream{upstreamAt("api", "http", backend(t, "http", ca, "", false), nil), upstreamAt("copy", "http", mirror.Listener.Addr().String(), nil),
			upstreamAt("h2c", "h2c", backend(t, "h2c", ca, "", false), nil), upstreamAt("ws", "http", switching(t), nil)}}
	limited, copied, single, over := routeTo("/limited", "api"), routeTo("/copied", "api"), routeTo("/single", "api"), routeTo("/over", "api")
	limited.Route.RateLimit = &gateway.RateLimit{Requests: 1, Per: gateway.Duration(time.Minute), Key: gateway.LimitKey{By: "route"}, Status: 429}
	copied.Route.Mirror = &gateway.EffectiveMirror{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "copy"}, Percent: 100}
	single.Route.SingleLabel = true
	over.Route.Nginx = []gateway.NginxText{{Text: "add_header X-Over $request_uri always;"}}
	edited := routeTo("/over", "api")
	edited.Route.ResponseHeaders = &gateway.HeaderEdit{Set: map[string]string{"x-edit": "a$b"}}
	s.Hosts = []*gateway.Host{{Name: "*.shop.test", Tenant: "acme", Rules: []gateway.Rule{
		when("copied", copied, "POST"), when("ws", routeTo("/copied", "ws"), "GET"), when("limited", limited, "POST"), when("free", routeTo("/limited", "api")), when("single", single, "POST"),
		when("over", over, "GET", "POST"), when("edited", edited, "PUT"), when("h2c", routeTo("/x", "h2c"), "POST"), when("none", routeTo("/x", "gone"), "PUT"),
	}}}
	e, problems := newEdge(t, ca, s)
	if len(problems) > 0 {
		t.Errorf("problems: %s", problemText(problems))
	}
	body := strings.Repeat("b", 100000)
	const told = " body=100000 <nil> from=127.0.0.1 tls="
	for _, c := range []struct{ method, host, path, want string }{
		{"POST", "a", "/x/%41?y=1", "200 POST HTTP/2.0 a.shop.test /x/%41?y=1" + told},
		{"PUT", "a", "/x", "503"}, {"DELETE", "a", "/x", "404"}, {"DELETE", "a", "/copied", "404"},
		{"POST", "a", "/single", "200 POST HTTP/1.1 a.shop.test /single" + told}, {"PUT", "a", "/single", "404"},
		{"POST", "a", "/copied//c%2Fd?e", "200 POST HTTP/1.1 a.shop.test /copied//c%2Fd?e" + told},
		{"POST", "a", "/limited", "200"}, {"POST", "a", "/limited", "429"}, {"PUT", "a", "/limited", "200"}, {"PUT", "a", "/limited", "200"},
		{"POST", "a", "/over/%41", "200 POST HTTP/1.1 a.shop.test /over/%41" + told},
	} {
		for _, h2 := range []bool{false, true} {
			want := c.want
			if h2 && c.path == "/limited" && c.method == "POST" {
				want = "429"
			}
			got, res := ask(t, e.client(true, h2), c.method, "https://"+c.host+".shop.test"+c.path, body)
			if !strings.HasPrefix(got, want) {
				t.Errorf("%s %s, HTTP/2 %v: %.200s, want %s", c.method, c.path, h2, got, want)
			} else if h2 != (res.ProtoMajor == 2) {
				t.Errorf("%s %s came by %s", c.method, c.path, res.Proto)
			}
		}
	}
	for method, want := range map[string]string{"GET": "X-Over=[\"/over/y%2F\"]", "PUT": "X-Edit=[\"a$b\"]"} {
		if _, res := ask(t, e.client(false, false), method, "http://a.shop.test/over/y%2F", ""); spoken(res.Header, "X-Over", "X-Edit") != want {
			t.Errorf("%s: %v, want %s", method, res.Header, want)
		}
	}
	if got, _ := ask(t, e.client(false, false), "POST", "http://a.b.shop.test/single", ""); !strings.HasPrefix(got, "404") {
		t.Errorf("a host of two labels: %s", got)
	}
	for range 2 { // by HTTP/1.1 and HTTP/2
		select {
		case got := <-copies:
			if got != "POST /copied//c%2Fd?e" {
				t.Errorf("the copy is %s", got)
			}
		case <-time.After(time.Minute):
			t.Fatal("no copy came")
		}
	}
	checkSwitch(t, e.Address)
	checkContinue(t, e.Address)
}

func dialEdge(t *testing.T, address, request string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	b := bufio.NewReader(c)
	resp, err := http.ReadResponse(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, b, resp
}

func checkSwitch(t *testing.T, address string) {
	t.Helper()
	c, b, resp := dialEdge(t, address, "GET /copied/x HTTP/1.1\r\nHost: a.shop.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
	defer func() { _ = resp.Body.Close() }()
	got := make([]byte, 4)
	if _, err := io.WriteString(c, "ping"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(b, got); resp.StatusCode != 101 || string(got) != "ping" {
		t.Errorf("switching protocols: %d %q %v", resp.StatusCode, got, err)
	}
}

// checkContinue waits with the body, and asks on the same connection again.
func checkContinue(t *testing.T, address string) {
	t.Helper()
	const head = "POST /over/x HTTP/1.1\r\nHost: a.shop.test\r\nContent-Length: 4\r\n"
	c, b, resp := dialEdge(t, address, head+"Expect: 100-continue\r\n\r\n")
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != 100 {
		t.Fatalf("an answer before the body: %s", resp.Status)
	}
	if _, err := io.WriteString(c, "body"+head+"\r\nbody"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		resp, err := http.ReadResponse(b, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !strings.Contains(string(text), " body=4 <nil>") {
			t.Errorf("%s %s %v", resp.Status, text, err)
		}
	}
}
