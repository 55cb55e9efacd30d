package health

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// serveGRPC runs a real server with a real health service, or without one.
func serveGRPC(t *testing.T, service *grpchealth.Server, opts ...grpc.ServerOption) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(opts...)
	if service != nil {
		healthpb.RegisterHealthServer(srv, service)
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func healthService() *grpchealth.Server {
	s := grpchealth.NewServer()
	s.SetServingStatus("shop.Cart", healthpb.HealthCheckResponse_SERVING)
	s.SetServingStatus("shop.Search", healthpb.HealthCheckResponse_NOT_SERVING)
	s.SetServingStatus("shop.Unsure", healthpb.HealthCheckResponse_UNKNOWN)
	return s
}

func TestGRPCProbe(t *testing.T) {
	full, bare := serveGRPC(t, healthService()), serveGRPC(t, nil)
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	for _, c := range []struct{ address, service, err string }{
		{full, "", ""},
		{full, "shop.Cart", ""},
		{full, "shop.Search", "says NOT_SERVING, expected SERVING"},
		{full, "shop.Unsure", "says UNKNOWN, expected SERVING"},
		{full, "shop.None", `does not know the service "shop.None"`},
		{bare, "", "has no health service: grpc status 12, unimplemented"},
		{web.Listener.Addr().String(), "", "the answer is not HTTP/2"},
	} {
		if r := once(t, gateway.ActiveCheck{Type: "grpc", Service: c.service}, c.address); r.Err != c.err {
			t.Errorf("service %q: %+v, want %q", c.service, r, c.err)
		}
	}
}

func TestGRPCProbeOverTLS(t *testing.T) {
	ca := certtest.NewCA(t, "ca", time.Now())
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, time.Now(), "cart.internal").TLS(t)}, MinVersion: tls.VersionTLS12}
	address := serveGRPC(t, healthService(), grpc.Creds(credentials.NewTLS(cfg)))
	secure := &Secure{TLS: gateway.UpstreamTLS{CA: ca.PEM, ServerName: "cart.internal"}}
	for service, want := range map[string]string{"shop.Cart": "", "shop.Search": "says NOT_SERVING, expected SERVING"} {
		target := Target{Check: &gateway.ActiveCheck{Type: "grpc", Service: service}, Protocol: "h2", Secure: secure}
		if r := onceAs(t, target, address); r.Err != want {
			t.Errorf("%s: %+v, want %q", service, r, want)
		}
	}
	if r := onceAs(t, Target{Check: &gateway.ActiveCheck{Type: "grpc"}, Protocol: "h2c"}, address); r.Err == "" {
		t.Error("a server of TLS answers a probe in the clear")
	}
}

// What other messages than those of a real server come to.
func TestServingStatus(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want string
	}{
		"serving":         {"\x00\x00\x00\x00\x02\x08\x01", ""},
		"nothing said":    {"\x00\x00\x00\x00\x00", "says UNKNOWN, expected SERVING"},
		"a future field":  {"\x00\x00\x00\x00\x05\x12\x01x\x08\x01", ""},
		"a future status": {"\x00\x00\x00\x00\x02\x08\x09", "says status 9, expected SERVING (1)"},
		"cut":             {"\x00\x00\x00\x00\x02\x08", "the answer of the health service cannot be read"},
		"cut field":       {"\x00\x00\x00\x00\x01\x08", "the answer of the health service cannot be read"},
		"compressed":      {"\x01\x00\x00\x00\x02\x08\x01", "the answer of the health service cannot be read"},
		"no message":      {"", "the answer of the health service cannot be read"},
	} {
		got := ""
		if err := serving(answer{status: 200, fields: map[string]string{"grpc-status": "0"}, body: []byte(c.body)}, ""); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for fields, want := range map[string]string{"": "the answer is not gRPC: it has no grpc-status", "14": "grpc status 14: later"} {
		a := answer{status: 200, fields: map[string]string{"grpc-status": fields, "grpc-message": "later"}}
		if err := serving(a, ""); err == nil || err.Error() != want {
			t.Errorf("grpc-status %q: %v, want %q", fields, err, want)
		}
	}
}
