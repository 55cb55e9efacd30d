package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy"
)

// A snapshot decides where requests go; the next one takes over without closing anything.
func Example() {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s%s via %s", r.Host, r.URL.Path, r.Header.Get("X-Forwarded-Proto"))
	}))
	defer origin.Close()

	api := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	route := &gateway.EffectiveRoute{Tenant: "acme", Name: "shop", MaxBodySize: 10 << 20,
		Targets: []gateway.Target{{Upstream: api, Weight: 1}}}
	p := proxy.New(proxy.Config{})
	p.Apply(&gateway.Snapshot{
		Generation: 1,
		Hosts: []*gateway.Host{{Name: "shop.test", Tenant: "acme",
			Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/api"}, Route: route}}}},
		Upstreams: []*gateway.EffectiveUpstream{{Key: api,
			Endpoints: []gateway.Endpoint{{Address: origin.Listener.Addr().String(), Weight: 1, InRotation: true}}}},
	})

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln, proxy.Listener{Name: "http"}) }()

	request, err := http.NewRequest("GET", "http://"+ln.Addr().String()+"/api/v1", nil)
	if err != nil {
		panic(err)
	}
	request.Host = "shop.test"
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	fmt.Println(answer.StatusCode, string(body), err)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(p.Shutdown(ctx), <-served)
	// Output:
	// 200 shop.test/api/v1 via http <nil>
	// <nil> <nil>
}
