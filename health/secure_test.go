package health

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// Probes of an upstream over TLS verify as its requests do.
func TestHTTPSProbe(t *testing.T) {
	ca, other := certtest.NewCA(t, "ca", time.Now()), certtest.NewCA(t, "other", time.Now())
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, time.Now(), "api.internal").TLS(t)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	own := ca.Issue(t, time.Now())
	good := gateway.UpstreamTLS{CA: ca.PEM, ServerName: "api.internal", Certificate: "own"}
	wrongCA, wrongName := good, good
	wrongCA.CA, wrongName.ServerName = other.PEM, "web.internal"
	for name, c := range map[string]struct {
		secure *Secure
		status int
		err    string
	}{
		"as it should":        {&Secure{TLS: good, Chain: own.Chain, Key: gateway.Secret(own.Key)}, 204, ""},
		"another CA":          {&Secure{TLS: wrongCA, Chain: own.Chain, Key: gateway.Secret(own.Key)}, 0, "unknown authority"},
		"another name":        {&Secure{TLS: wrongName, Chain: own.Chain, Key: gateway.Secret(own.Key)}, 0, "web.internal"},
		"no own certificate":  {&Secure{TLS: good}, 0, "no usable certificate"},
		"without TLS at last": {nil, 400, "status 400"},
	} {
		check := *filled(gateway.EffectiveCheck{Active: &gateway.ActiveCheck{}}).Active
		p := NewProber(nil)
		r := p.timed(new(span), srv.Listener.Addr().String(), newQuestion(Target{EndpointKey: gateway.EndpointKey{Address: srv.Listener.Addr().String()}, Check: &check, Secure: c.secure}))
		if r.Status != c.status || !strings.Contains(r.Err, c.err) || (r.Err == "") != (c.err == "") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
