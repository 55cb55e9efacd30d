package admin_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// A private key goes in and never comes out, and writing back what was read keeps it.
func TestCertificateKeysAreWriteOnly(t *testing.T) {
	w := newWorld(t, nil)
	w.shop()
	ca := certtest.NewCA(t, "ca", time.Now())
	first, second := ca.Issue(t, time.Now(), "shop.example.com"), ca.Issue(t, time.Now(), "shop.example.com")
	body := func(chain, key string) string {
		b, err := json.Marshal(map[string]any{"kind": "Certificate", "name": "shop", "tenant": "acme", "spec": map[string]any{"certificate": chain, "key": key}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const at = "/api/v1/tenants/acme/certificates/shop"
	stored := func() gateway.Secret {
		o, err := w.store.Get(t.Context(), gateway.Ref{Kind: gateway.KindCertificate, Tenant: "acme", Name: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		return o.(*gateway.Certificate).Spec.Key
	}
	var shown strings.Builder
	step := func(c scenario) {
		t.Helper()
		shown.WriteString(c.run(t, w))
	}
	fingerprint := gateway.DescribeCertificate(first.Chain).Fingerprint
	step(scenario{name: "nothing to keep", what: "PUT " + at, body: body(first.Chain, "(secret)"), status: 400, has: []string{"write the key in PEM"}})
	step(scenario{name: "create", what: "PUT " + at, body: body(first.Chain, first.Key), status: 200, has: []string{`"action":"created"`}})
	step(scenario{name: "read", what: "GET " + at, status: 200, has: []string{`"key":"(secret)"`, fingerprint, `"names":["shop.example.com"]`}})
	read := w.do("GET", at, "").Body.String()
	step(scenario{name: "write back", what: "PUT " + at, body: read, status: 200, has: []string{`"action":"unchanged"`}})
	if stored() != gateway.Secret(first.Key) {
		t.Fatal("writing back what was read changed the key")
	}
	step(scenario{name: "another certificate with the old key", what: "PUT " + at + "?dryRun=true", body: body(second.Chain, "(secret)"), status: 200, has: []string{"key_mismatch"}})
	step(scenario{name: "replace", what: "PUT " + at, body: body(second.Chain, second.Key), status: 200, has: []string{`"action":"updated"`}, hasNot: []string{"key_mismatch"}})
	if stored() != gateway.Secret(second.Key) {
		t.Fatal("the new key was not stored")
	}
	step(scenario{name: "what it is used for", what: "GET /api/v1/certificates?tenant=acme", status: 200,
		has: []string{`"tenant":"acme"`, `"hosts":["shop.example.com"]`, `"usable":true`, `"issuer":`, `"notAfter":`, `"upstreams":[]`, `"problems":[]`}, hasNot: []string{"(secret)", "BEGIN"}})
	step(scenario{name: "of nobody", what: "GET /api/v1/certificates?tenant=nobody", status: 200, has: []string{`"items":[]`}})
	for _, path := range []string{"/api/v1/tenants/acme/certificates", "/api/v1/objects?kind=Certificate", "/api/v1/snapshot", "/api/v1/history?kind=Certificate&tenant=acme&name=shop", "/api/v1/audit", "/api/v1/problems"} {
		rec := w.do("GET", path, "")
		if rec.Code != 200 {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
		shown.Write(rec.Body.Bytes())
	}
	for _, key := range []string{first.Key, second.Key} {
		if line := strings.Split(key, "\n")[1]; strings.Contains(shown.String(), line) {
			t.Error("an answer holds a private key")
		}
	}
	step(scenario{name: "unusable", what: "PUT " + at, body: body(first.Chain, second.Key), status: 200, has: []string{"key_mismatch"}})
	step(scenario{name: "unusable, with its problem", what: "GET /api/v1/certificates", status: 200,
		has: []string{`"usable":false`, `"hosts":[]`, `"code":"key_mismatch"`, `"names":["shop.example.com"]`}})
	step(scenario{name: "delete", what: "DELETE " + at, status: 200})
}
