package nginxconf

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// limitedEdge is a real nginx with one route to a real backend, which takes clients' addresses
// from X-Real-IP.
func limitedEdge(t *testing.T, change func(*gateway.EffectiveRoute)) *edge {
	t.Helper()
	ca := certtest.NewCA(t, "ca", time.Now())
	rule := routeTo("/", "api")
	change(rule.Route)
	s := &gateway.Snapshot{Tenants: tenantAcme(), Hosts: []*gateway.Host{{Name: "*.shop.test", Tenant: "acme", Rules: []gateway.Rule{rule}}},
		Upstreams: []*gateway.EffectiveUpstream{upstreamAt("api", "http", backend(t, "http", ca, "", false), nil)}}
	e, problems := newEdge(t, ca, s, "set_real_ip_from 127.0.0.0/8;", "real_ip_header X-Real-IP;")
	if len(problems) > 0 {
		t.Errorf("problems: %s", problemText(problems))
	}
	return e
}

// nginx counts the same requests together as the Go edge does (proxy.TestLimitKeys).
func TestServesRateKeys(t *testing.T) {
	type request struct{ from, host, key, want string }
	for name, c := range map[string]struct {
		key      gateway.LimitKey
		requests []request
	}{
		"client": {gateway.LimitKey{By: "client"}, []request{
			{"192.0.2.1", "a", "", "200"}, {"192.0.2.1", "b", "x", "429"}, {"192.0.2.2", "a", "", "200"}, {"::ffff:192.0.2.1", "a", "", "429"}, {"::ffff:192.0.2.3", "a", "", "200"},
			{"2001:db8::1", "a", "", "200"}, {"2001:db8::ffff:2", "a", "", "429"}, {"2001:db8:0:1::1", "a", "", "200"}, {"2001:db8:0:0a00::1", "a", "", "200"}, {"2001:db8:0:0a00::a", "a", "", "429"},
		}},
		"host":  {gateway.LimitKey{By: "host"}, []request{{"192.0.2.1", "a", "", "200"}, {"192.0.2.2", "A", "", "429"}, {"192.0.2.1", "b", "", "200"}}},
		"route": {gateway.LimitKey{By: "route"}, []request{{"192.0.2.1", "a", "", "200"}, {"192.0.2.2", "b", "x", "429"}}},
		"header": {gateway.LimitKey{By: "header", Header: "x-api-key"}, []request{
			{"192.0.2.1", "a", "k", "200"}, {"192.0.2.2", "b", "k", "429"}, {"192.0.2.1", "a", "", "200"}, {"192.0.2.1", "a", "", "429"}, {"192.0.2.2", "a", "", "200"}, {"192.0.2.1", "a", "l", "200"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := limitedEdge(t, func(r *gateway.EffectiveRoute) {
				r.RateLimit = &gateway.RateLimit{Requests: 1, Per: 60e9, Burst: new(0), Key: c.key, Status: 429}
			})
			client := e.client(false, false)
			for i, r := range c.requests {
				header := []string{"X-Real-IP", r.from}
				if r.key != "" {
					header = append(header, "X-Api-Key", r.key)
				}
				got, res := ask(t, client, http.MethodGet, "http://"+r.host+".shop.test/", "", header...)
				if !strings.HasPrefix(got, r.want) || res != nil && (r.want == "429") != (res.Header.Get("Retry-After") == "60") {
					t.Errorf("request %d, %+v: %s %v", i, r, got, res)
				}
			}
		})
	}
}

// Values of headers that are too long for a key of nginx are counted, and each by itself, also
// when the zone is full of short ones.
func TestServesLongKeys(t *testing.T) {
	key := gateway.LimitKey{By: "header", Header: "x-api-key"}
	e := limitedEdge(t, func(r *gateway.EffectiveRoute) {
		r.RateLimit = &gateway.RateLimit{Requests: 1, Per: 60e9, Burst: new(0), Key: key, Status: 429}
		r.ConnectionLimit = &gateway.ConnectionLimit{Max: 1, Key: key, Status: 503}
	})
	client := e.client(false, false)
	count := func(value, want string) {
		t.Helper()
		if got, _ := ask(t, client, http.MethodGet, "http://a.shop.test/", "", "X-Api-Key", value); !strings.HasPrefix(got, want) {
			t.Errorf("a key of %d bytes, %.10s...: %s, want %s", len(value), value, got, want)
		}
	}
	for i := range 17_000 {
		count("short"+strconv.Itoa(i), "200")
	}
	for _, n := range []int{41, 42, 100, 300, 30_000} {
		long, id := strings.Repeat("k", n-6), strconv.Itoa(n)
		for _, value := range []string{"1" + id + long, "2" + id + long, long + id + "1"} {
			count(value, "200")
			count(value, "429")
		}
	}
	log, err := os.ReadFile(filepath.Join(e.Dir, "error.log"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), "more than 255 bytes"); n > 0 {
		t.Errorf("nginx did not count %d requests in progress", n)
	}
}

// A burst is as many as on the Go edge: one and those of the burst.
func TestServesBurst(t *testing.T) {
	e := limitedEdge(t, func(r *gateway.EffectiveRoute) {
		r.RateLimit = &gateway.RateLimit{Requests: 1, Per: 60e9, Burst: new(3), Key: gateway.LimitKey{By: "route"}, Status: 503}
	})
	client, taken := e.client(false, false), 0
	for range 8 {
		got, _ := ask(t, client, http.MethodGet, "http://a.shop.test/", "")
		if strings.HasPrefix(got, "200") {
			taken++
		} else if !strings.HasPrefix(got, "503") {
			t.Error(got)
		}
	}
	if taken != 4 {
		t.Errorf("%d of 8 were taken, want 4", taken)
	}
}

// Requests in progress are counted by client, also those on one connection of HTTP/2.
func TestServesConnectionLimit(t *testing.T) {
	ca := certtest.NewCA(t, "ca", time.Now())
	began, answer := make(chan struct{}, 10), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		began <- struct{}{}
		<-answer
	}))
	t.Cleanup(slow.Close)
	rule := routeTo("/", "api")
	rule.Route.ConnectionLimit = &gateway.ConnectionLimit{Max: 2, Key: gateway.LimitKey{By: "client"}, Status: 503}
	pair := ca.Issue(t, time.Now(), "shop.test")
	s := &gateway.Snapshot{Tenants: tenantAcme(), Hosts: []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{rule}}},
		Certificates: []*gateway.EffectiveCertificate{{Key: gateway.CertificateKey{Tenant: "acme", Name: "shop"}, Hosts: []string{"shop.test"}, Chain: pair.Chain, PrivateKey: gateway.Secret(pair.Key)}},
		Upstreams:    []*gateway.EffectiveUpstream{upstreamAt("api", "http", slow.Listener.Addr().String(), nil)}}
	e, problems := newEdge(t, ca, s)
	if len(problems) > 0 {
		t.Errorf("problems: %s", problemText(problems))
	}
	client, done := e.client(true, true), make(chan string)
	for range 2 {
		go func() {
			res, err := client.Get("https://shop.test/")
			if err != nil {
				done <- err.Error()
				return
			}
			_ = res.Body.Close()
			done <- res.Status
		}()
		<-began
	}
	got, res := ask(t, e.client(false, false), http.MethodGet, "http://shop.test/", "")
	if !strings.HasPrefix(got, "503") || res.Header.Get("Retry-After") != "1" {
		t.Errorf("a third request: %s %v", got, res)
	}
	close(answer)
	for range 2 {
		if got := <-done; !strings.HasPrefix(got, "200") {
			t.Error(got)
		}
	}
	client.CloseIdleConnections()
}
