package gateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func tenantOf(name string, rev int64, hosts ...string) *gateway.Tenant {
	return &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: name, CreatedRevision: rev}, Spec: gateway.TenantSpec{Hosts: hosts}}
}

func certificate(tenant, name string, rev int64, p certtest.Pair, change func(*gateway.CertificateSpec)) *gateway.Certificate {
	c := &gateway.Certificate{Meta: gateway.Meta{Kind: gateway.KindCertificate, Tenant: tenant, Name: name, CreatedRevision: rev},
		Spec: gateway.CertificateSpec{Certificate: p.Chain, Key: gateway.Secret(p.Key)}}
	if change != nil {
		change(&c.Spec)
	}
	return c
}

// serves lists "host=certificate".
func serves(s *gateway.Snapshot) []string {
	out := []string{}
	for _, c := range s.Certificates {
		for _, h := range c.Hosts {
			out = append(out, h+"="+c.Key.Name)
		}
	}
	slices.Sort(out)
	return out
}

func codes(s *gateway.Snapshot) []string {
	out := []string{}
	for _, p := range s.Problems {
		out = append(out, p.Object.Name+" "+p.Field+" "+p.Code)
	}
	return out
}

// Each case is one rule for who answers for which name.
func TestCertificates(t *testing.T) {
	ca := certtest.NewCA(t, "ca", noon)
	shop := ca.Issue(t, noon, "shop.example.com")
	wild := ca.Issue(t, noon, "*.example.com", "other.example.net")
	none := ca.Issue(t, noon)
	old := ca.IssueFor(t, noon.Add(-90*24*time.Hour), noon.Add(-time.Second), "shop.example.com")
	soon := ca.IssueFor(t, noon.Add(-80*24*time.Hour), noon.Add(10*24*time.Hour), "shop.example.com")
	young := ca.IssueFor(t, noon.Add(time.Hour), noon.Add(48*time.Hour), "shop.example.com")
	type spec = gateway.CertificateSpec
	cases := []struct {
		name     string
		claims   []string
		certs    []*gateway.Certificate
		upstream *gateway.UpstreamTLS
		serves   []string
		problems []string
	}{
		{name: "names of the certificate", claims: []string{"shop.example.com"}, certs: []*gateway.Certificate{certificate("acme", "a", 2, shop, nil)},
			serves: []string{"shop.example.com=a"}},
		{name: "older first", claims: []string{"*.example.com"}, certs: []*gateway.Certificate{certificate("acme", "b", 3, shop, nil), certificate("acme", "a", 9, shop, nil)},
			serves: []string{"shop.example.com=b"}, problems: []string{"a spec.certificate host_taken"}},
		{name: "a good one before an older, expired one", claims: []string{"*.example.com"}, certs: []*gateway.Certificate{certificate("acme", "old", 3, old, nil), certificate("acme", "new", 9, shop, nil)},
			serves: []string{"shop.example.com=new"}, problems: []string{"old spec.certificate certificate_expired"}},
		{name: "expired, but better than none", claims: []string{"*.example.com"}, certs: []*gateway.Certificate{certificate("acme", "old", 3, old, nil)},
			serves: []string{"shop.example.com=old"}, problems: []string{"old spec.certificate certificate_expired"}},
		{name: "dates", claims: []string{"*.example.com"}, certs: []*gateway.Certificate{certificate("acme", "soon", 3, soon, nil), certificate("acme", "young", 2, young, nil)},
			serves: []string{"shop.example.com=soon"}, problems: []string{"soon spec.certificate certificate_expiring", "young spec.certificate certificate_too_early"}},
		{name: "a wildcard goes to the claims below it", claims: []string{"shop.example.com", "a.b.example.com", "other.example.net"}, certs: []*gateway.Certificate{certificate("acme", "w", 2, wild, nil)},
			serves: []string{"other.example.net=w", "shop.example.com=w"}},
		{name: "names of others", claims: []string{"*.example.com"}, certs: []*gateway.Certificate{certificate("acme", "w", 2, wild, nil)},
			serves: []string{"*.example.com=w"}, problems: []string{"w spec.certificate host_not_owned"}},
		{name: "narrowed", claims: []string{"*.example.com"}, certs: []*gateway.Certificate{certificate("acme", "w", 2, wild, func(s *spec) {
			s.Hosts = []string{"A.example.com", "a.b.example.com", "other.example.net", "x y"}
		})}, serves: []string{"a.example.com=w"}, problems: []string{"w spec.hosts[1] host_not_covered", "w spec.hosts[2] host_not_owned", "w spec.hosts[3] host_invalid"}},
		{name: "no names", claims: []string{"*"}, certs: []*gateway.Certificate{certificate("acme", "n", 2, none, nil)}, problems: []string{"n spec.certificate host_missing"}},
		{name: "no names, but for an upstream", claims: []string{"*"}, certs: []*gateway.Certificate{certificate("acme", "n", 2, none, nil)}, upstream: &gateway.UpstreamTLS{Certificate: "n"}},
		{name: "an upstream without its certificate", claims: []string{"*"}, upstream: &gateway.UpstreamTLS{Certificate: "n"}, problems: []string{"api spec.tls.certificate certificate_unknown"}},
		{name: "an upstream with what is wrong", claims: []string{"*"}, upstream: &gateway.UpstreamTLS{CA: "x", ServerName: "*.a", InsecureSkipVerify: true},
			problems: []string{"api spec.tls.ca certificate_invalid", "api spec.tls.insecureSkipVerify tls_insecure", "api spec.tls.serverName host_invalid"}},
		{name: "another's key", claims: []string{"*"}, certs: []*gateway.Certificate{certificate("acme", "a", 2, shop, func(s *spec) { s.Key = gateway.Secret(wild.Key) })}, problems: []string{"a spec.key key_mismatch"}},
		{name: "no key", claims: []string{"*"}, certs: []*gateway.Certificate{certificate("acme", "a", 2, shop, func(s *spec) { s.Key = "" })}, problems: []string{"a spec.key key_missing"}},
		{name: "no PEM", claims: []string{"*"}, certs: []*gateway.Certificate{certificate("acme", "a", 2, shop, func(s *spec) { s.Key = "secret" }), certificate("acme", "b", 2, shop, func(s *spec) { s.Certificate = "x" })},
			problems: []string{"a spec.key key_invalid", "b spec.certificate certificate_invalid"}},
		{name: "key among the certificates", claims: []string{"*"}, certs: []*gateway.Certificate{certificate("acme", "a", 2, shop, func(s *spec) { s.Certificate += shop.Key })}, problems: []string{"a spec.certificate certificate_invalid"}},
		{name: "cut off", claims: []string{"*"}, certs: []*gateway.Certificate{certificate("acme", "a", 2, shop, func(s *spec) { s.Certificate += ca.PEM[:200] })}, problems: []string{"a spec.certificate certificate_invalid"}},
		{name: "chain in the wrong order", claims: []string{"*"}, certs: []*gateway.Certificate{certificate("acme", "a", 2, shop, func(s *spec) { s.Certificate = ca.PEM + s.Certificate })}, problems: []string{"a spec.certificate chain_invalid"}},
		{name: "client authentication that cannot be is closed", claims: []string{"*"}, certs: []*gateway.Certificate{
			certificate("acme", "a", 2, shop, func(s *spec) { s.ClientAuth = &gateway.ClientAuth{Mode: "maybe", CA: ca.PEM} }),
			certificate("acme", "b", 2, shop, func(s *spec) { s.ClientAuth = &gateway.ClientAuth{Mode: "require", CA: "x"} }),
		}, problems: []string{"a spec.clientAuth.mode client_auth_invalid", "b spec.clientAuth.ca client_auth_invalid"}},
		{name: "no tenant", certs: []*gateway.Certificate{certificate("nobody", "a", 2, shop, nil)}, problems: []string{"a tenant tenant_unknown"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := gateway.Inputs{Tenants: []*gateway.Tenant{tenantOf("acme", 1, c.claims...)}, Certificates: c.certs, Now: noon}
			if c.upstream != nil {
				in.Upstreams = []*gateway.Upstream{{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "acme", Name: "api"}, Spec: gateway.UpstreamSpec{Protocol: "https", TLS: c.upstream}}}
			}
			s := gateway.Build(in, 1)
			if diff := cmp.Diff(append([]string{}, c.serves...), serves(s)); diff != "" {
				t.Errorf("serves (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(append([]string{}, c.problems...), codes(s)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			in.Before = s
			again := gateway.Build(in, 1)
			if text(t, again) != text(t, s) || again.Digest != s.Digest {
				t.Error("built from the snapshot before, it is another one")
			}
			if !slices.Equal(again.Certificates, s.Certificates) {
				t.Error("the certificates are not shared with the snapshot before")
			}
		})
	}
}

// An upstream that begins to use a certificate settles the certificate's problem, through
// the shortcut as well.
func TestReplacingUpstreamsSeesCertificates(t *testing.T) {
	ca := certtest.NewCA(t, "ca", noon)
	u := &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "acme", Name: "api"}, Spec: gateway.UpstreamSpec{Protocol: "https"}}
	in := gateway.Inputs{Tenants: []*gateway.Tenant{tenantOf("acme", 1, "a.example")}, Upstreams: []*gateway.Upstream{u},
		Certificates: []*gateway.Certificate{certificate("acme", "own", 2, ca.Issue(t, noon), nil)}, Now: noon}
	before := gateway.Build(in, 1)
	for _, name := range []string{"own", "other"} {
		with := *u
		with.Spec.TLS = &gateway.UpstreamTLS{Certificate: name}
		in.Upstreams = []*gateway.Upstream{&with}
		got := gateway.ReplaceUpstreams(before, []gateway.Replacement{{Upstream: &with}}, 2)
		if diff := cmp.Diff(text(t, gateway.Build(in, 2)), text(t, got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The next build is due when the dates of a certificate decide otherwise.
func TestNext(t *testing.T) {
	ca := certtest.NewCA(t, "ca", noon)
	end := noon.Add(30 * 24 * time.Hour)
	in := gateway.Inputs{Tenants: []*gateway.Tenant{tenantOf("acme", 1, "*")}, Now: noon,
		Certificates: []*gateway.Certificate{certificate("acme", "a", 2, ca.IssueFor(t, noon.Add(-60*24*time.Hour), end, "a.example"), nil)}}
	for i, want := range []struct {
		next time.Time
		code string
	}{{end.Add(-14 * 24 * time.Hour), ""}, {end.Add(time.Second), "certificate_expiring"}, {time.Time{}, "certificate_expired"}} {
		s := gateway.Build(in, 1)
		if !s.Next.Equal(want.next) || strings.TrimPrefix(strings.Join(codes(s), ","), "a spec.certificate ") != want.code {
			t.Fatalf("%d: next %s, problems %v; want %s, %s", i, s.Next, codes(s), want.next, want.code)
		}
		in.Now = s.Next
	}
}

// No way of showing a certificate shows its key.
func TestSecretsAreNotShown(t *testing.T) {
	p := certtest.NewCA(t, "ca", noon).Issue(t, noon, "a.example")
	c := certificate("acme", "a", 2, p, nil)
	body := strings.Split(strings.TrimSpace(p.Key), "\n")[1]
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, c), fmt.Sprintf(verb, c.Spec.Key))
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "spec", c.Spec, "key", c.Spec.Key)
	s := gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{tenantOf("acme", 1, "*")}, Certificates: []*gateway.Certificate{c}}, 1)
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(shown, log.String(), text(t, s), string(b), fmt.Sprintf("%+v", s.Certificates[0])) {
		if strings.Contains(text, body) || strings.Contains(text, fmt.Sprintf("%x", body)) {
			t.Errorf("shows the key: %s", text)
		}
	}
	if !strings.Contains(string(b), `"key":"(secret)"`) {
		t.Errorf("JSON: %s", b)
	}
	clear, err := gateway.MarshalClear(c)
	if err != nil {
		t.Fatal(err)
	}
	var back gateway.Certificate
	if err := json.Unmarshal(clear, &back); err != nil || back.Spec.Key != c.Spec.Key || back.Name != "a" {
		t.Errorf("stored and read: %v, %s", err, back.Name)
	}
}

func TestKeepSecrets(t *testing.T) {
	p := certtest.NewCA(t, "ca", noon).Issue(t, noon, "a.example")
	old, now := certificate("acme", "a", 2, p, nil), certificate("acme", "a", 2, p, nil)
	now.Spec.Key = gateway.SecretPlaceholder
	if err := gateway.KeepSecrets(now, nil); !errors.Is(err, gateway.ErrInvalid) {
		t.Errorf("nothing to keep: %v", err)
	}
	if err := gateway.KeepSecrets(now, old); err != nil || now.Spec.Key != old.Spec.Key {
		t.Errorf("not kept: %v", err)
	}
}

// What people write in a certificate's file is what the parser sees.
func TestParseFiles(t *testing.T) {
	p := certtest.NewCA(t, "ca", noon).Issue(t, noon, "a.example")
	dir := t.TempDir()
	cert, key := p.Write(t, dir, "a")
	if filepath.Dir(cert) != dir {
		t.Fatal(cert)
	}
	chain, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.ParseCertificate("a comment\n"+string(chain), gateway.Secret(text)); err != nil {
		t.Error(err)
	}
}
