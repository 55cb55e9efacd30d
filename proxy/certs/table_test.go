package certs

import (
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

func effective(name string, p certtest.Pair, auth *gateway.ClientAuth, hosts ...string) *gateway.EffectiveCertificate {
	return &gateway.EffectiveCertificate{Key: gateway.CertificateKey{Tenant: "acme", Name: name}, Hosts: hosts, Chain: p.Chain, PrivateKey: gateway.Secret(p.Key), ClientAuth: auth}
}

func TestFind(t *testing.T) {
	p := certtest.NewCA(t, "ca", time.Now()).Issue(t, time.Now())
	table := Compile([]*gateway.EffectiveCertificate{effective("a", p, nil, "a.example.com", "*.example.com"), effective("b", p, nil, "b.example.com", "localhost")}, nil)
	for name, want := range map[string]string{"a.example.com": "a", "b.example.com": "b", "c.example.com": "a", "localhost": "b",
		"example.com": "", "x.y.example.com": "", "": "", ".": "", "*.example.com": "a", ".example.com": "a", "com": ""} {
		got := ""
		if e := table.Find(name); e != nil {
			got = e.from.Key.Name
		}
		if got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// What did not change is the same after a swap: parsed certificates, and policies by
// pointer, which connections are held to.
func TestCompileKeepsWhatDidNotChange(t *testing.T) {
	ca := certtest.NewCA(t, "ca", time.Now())
	p, q := ca.Issue(t, time.Now()), ca.Issue(t, time.Now())
	auth := func(mode string) *gateway.ClientAuth { return &gateway.ClientAuth{Mode: mode, CA: ca.PEM} }
	one := Compile([]*gateway.EffectiveCertificate{effective("a", p, auth("require"), "a.test"), effective("b", p, auth("require"), "b.test"), effective("c", p, auth("request"), "c.test")}, nil)
	two := Compile([]*gateway.EffectiveCertificate{effective("a", p, auth("require"), "a.test"), effective("b", q, auth("request"), "b.test"), effective("c", p, nil, "c.test"),
		effective("bad", certtest.Pair{Chain: "x"}, nil, "bad.test")}, one)
	if one.Find("a.test").Pair != two.Find("a.test").Pair || one.Find("b.test").Pair == two.Find("b.test").Pair {
		t.Error("certificates: want the same one for a and another for b")
	}
	policy := func(t *Table, host string) *Policy { return t.PolicyOf([]byte(host)) }
	if policy(one, "a.test") != policy(one, "b.test") || policy(one, "A.TEST.") != policy(two, "a.test") || policy(one, "c.test") != policy(two, "b.test") {
		t.Error("equal policies are not the same")
	}
	if policy(one, "a.test") == policy(one, "c.test") || !policy(one, "a.test").Required || policy(one, "c.test").Required || policy(two, "c.test") != nil {
		t.Error("policies are mixed up")
	}
	if two.Find("bad.test") != nil {
		t.Error("a certificate that cannot be read is in use")
	}
	if none := Compile(nil, two); none.Guards() || !two.Guards() {
		t.Error("Guards")
	}
}

func BenchmarkFind(b *testing.B) {
	p := certtest.NewCA(b, "ca", time.Now()).Issue(b, time.Now())
	var list []*gateway.EffectiveCertificate
	for i := range 10_000 {
		name := "h" + string(rune('a'+i%26)) + time.Duration(i).String()
		list = append(list, effective(name, p, nil, name+".example.com", "*."+name+".example.com"))
	}
	list = append(list, effective("guarded", p, &gateway.ClientAuth{Mode: "require", CA: p.Chain}, "guarded.example.com"))
	s := NewServer(func() *Table { return nil }, nil, nil)
	table := Compile(list, nil)
	s.table = func() *Table { return table }
	for name, sni := range map[string]string{"exact": "ha0s.example.com", "wildcard": "x.ha0s.example.com", "unknown": "unknown.test"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if s.find(lower(sni)) == nil && name != "unknown" {
					b.Fatal("not found")
				}
			}
		})
	}
	b.Run("policy", func(b *testing.B) {
		host := []byte("Guarded.example.com")
		b.ReportAllocs()
		for b.Loop() {
			if table.PolicyOf(host) == nil {
				b.Fatal("not found")
			}
		}
	})
}

// A lookup allocates nothing.
func TestLookupsDoNotAllocate(t *testing.T) {
	p := certtest.NewCA(t, "ca", time.Now()).Issue(t, time.Now())
	table := Compile([]*gateway.EffectiveCertificate{effective("a", p, &gateway.ClientAuth{Mode: "require", CA: p.Chain}, "*.example.com")}, nil)
	s := NewServer(func() *Table { return table }, nil, nil)
	host := []byte("a.example.com")
	if n := testing.AllocsPerRun(100, func() {
		if s.find(lower("a.example.com")) == nil || table.PolicyOf(host) == nil {
			t.Fatal("not found")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
