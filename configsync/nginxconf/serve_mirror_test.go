package nginxconf

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// TestServesMirror: copies have method, host, path, query and body of the request and the header
// of copies, over HTTP/1.1, TLS and HTTP/2; the client gets the answer of the upstream, though the
// mirror answers 500 and late.
func TestServesMirror(t *testing.T) {
	for _, protocol := range []string{"http", "https", "h2c"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			ca, got, late := certtest.NewCA(t, "ca", time.Now()), make(chan string, 10), make(chan struct{})
			shadow := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				got <- fmt.Sprintf("%s %s %s %d %q %v", r.Method, r.Host, r.RequestURI, len(b), r.Header.Values("X-Sluice-Mirror"), err)
				<-late
				w.WriteHeader(500)
			}))
			var verified *gateway.UpstreamTLS
			if protocol == "https" {
				shadow.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, time.Now(), "shadow.test").TLS(t)}}
				shadow.StartTLS()
				verified = &gateway.UpstreamTLS{CA: ca.PEM, ServerName: "shadow.test"}
			} else {
				shadow.Config.Protocols = new(http.Protocols)
				shadow.Config.Protocols.SetHTTP1(protocol == "http")
				shadow.Config.Protocols.SetUnencryptedHTTP2(protocol == "h2c")
				shadow.Start()
			}
			t.Cleanup(shadow.Close)
			rule := routeTo("/", "api")
			rule.Route.Mirror = &gateway.EffectiveMirror{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "shadow"}, Percent: 100}
			s := &gateway.Snapshot{Tenants: tenantAcme(), Hosts: []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{rule}}},
				Upstreams: []*gateway.EffectiveUpstream{upstreamAt("api", "http", backend(t, "http", ca, "", false), nil), upstreamAt("shadow", protocol, shadow.Listener.Addr().String(), verified)}}
			e, problems := newEdge(t, ca, s)
			if len(problems) > 0 {
				t.Errorf("problems: %s", problemText(problems))
			}
			client := e.client(false, false)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			for _, r := range []struct{ method, path, body, want string }{
				{"GET", "/a?q=1", "", `GET shop.test /a?q=1 0 ["1"] <nil>`},
				{"POST", "/a%20b/c", "abc", `POST shop.test /a%20b/c 3 ["1"] <nil>`},
				{"PUT", "/large", strings.Repeat("x", 100_000), `PUT shop.test /large 100000 ["1"] <nil>`},
			} {
				if text, _ := ask(t, client, r.method, "http://shop.test"+r.path, r.body, "X-Sluice-Mirror", "a lie"); !strings.HasPrefix(text, "200 "+r.method) {
					t.Errorf("%s %s: %s", r.method, r.path, text)
				}
				select {
				case text := <-got:
					if text != r.want {
						t.Errorf("the copy is %s, want %s", text, r.want)
					}
				case <-ctx.Done():
					t.Fatalf("%s %s is not copied", r.method, r.path)
				}
			}
			if text, _ := ask(t, client, "GET", "http://shop.test"+mirrorPath(rule.Route), ""); !strings.HasPrefix(text, "404") {
				t.Errorf("a client at the location of copies: %s", text)
			}
			close(late)
		})
	}
}
