package gateway_test

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// stream is one of acme's, created in the order of the revisions.
func stream(revision int64, name string, spec gateway.StreamSpec) *gateway.Stream {
	return &gateway.Stream{Meta: gateway.Meta{Kind: gateway.KindStream, Tenant: "acme", Name: name, Revision: revision, CreatedRevision: revision}, Spec: spec}
}

// A stream is served on a port that its tenant owns, once, to an upstream that there is; what is
// not served says why, and other streams are.
func TestStreams(t *testing.T) {
	acme, other := tenant(1, "acme"), tenant(2, "other")
	acme.Spec.Ports, other.Spec.Ports = []string{"7000-7009", "9000"}, []string{"7009-7010"}
	spec := gateway.StreamSpec{Port: 7000, Upstream: "api"}
	served := gateway.EffectiveStream{Port: 7000, Name: "db", Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "api"},
		IdleTimeout: gateway.Duration(10 * time.Minute), MaxConnections: 10000}
	second := served
	second.Port, second.Name, second.IdleTimeout, second.MaxConnections = 9000, "all", gateway.Duration(time.Second), 5
	for name, c := range map[string]struct {
		streams    []*gateway.Stream
		want       []gateway.EffectiveStream
		code, says string
	}{
		"served": {streams: []*gateway.Stream{stream(5, "all", gateway.StreamSpec{Port: 9000, Upstream: "api", IdleTimeout: second.IdleTimeout, MaxConnections: 5}), stream(4, "db", spec)},
			want: []gateway.EffectiveStream{served, second}},
		"taken": {streams: []*gateway.Stream{stream(5, "later", spec), stream(4, "db", spec)}, want: []gateway.EffectiveStream{served},
			code: "port_taken", says: "Stream acme/db listens on port 7000"},
		"not the tenant's":  {streams: []*gateway.Stream{stream(4, "db", gateway.StreamSpec{Port: 7010, Upstream: "api"})}, code: "port_unclaimed", says: "spec.ports"},
		"no port":           {streams: []*gateway.Stream{stream(4, "db", gateway.StreamSpec{Upstream: "api"})}, code: "port_invalid", says: "0 is not a port"},
		"no such port":      {streams: []*gateway.Stream{stream(4, "db", gateway.StreamSpec{Port: 70000, Upstream: "api"})}, code: "port_invalid", says: "70000 is not a port"},
		"no such upstream":  {streams: []*gateway.Stream{stream(4, "db", gateway.StreamSpec{Port: 7000, Upstream: "web"})}, code: "upstream_unknown", says: `no upstream "web"`},
		"fewer than none":   {streams: []*gateway.Stream{stream(4, "db", gateway.StreamSpec{Port: 7000, Upstream: "api", MaxConnections: -1})}, want: []gateway.EffectiveStream{served}, code: "number_invalid"},
		"an unknown tenant": {streams: []*gateway.Stream{{Meta: gateway.Meta{Kind: gateway.KindStream, Tenant: "nobody", Name: "db"}, Spec: spec}}, code: "tenant_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			in := gateway.Inputs{Tenants: []*gateway.Tenant{other, acme}, Upstreams: []*gateway.Upstream{upstream("acme", "api")}, Streams: c.streams}
			s := gateway.Build(in, 1)
			if diff := gocmp.Diff(c.want, s.Streams); diff != "" {
				t.Error(diff)
			}
			found := 0
			for _, p := range s.Problems {
				if p.Object.Kind == gateway.KindTenant && p.Code == "port_taken" && strings.Contains(p.Message, `tenant "acme"`) {
					continue // 7009 is acme's
				}
				if found++; p.Code != c.code || p.Object.Kind != gateway.KindStream || !strings.Contains(p.Message, c.says) {
					t.Errorf("problem %+v, want %s", p, c.code)
				}
			}
			if (found > 0) != (c.code != "") {
				t.Errorf("%d problems: %v", found, problemLines(s))
			}
			without := gateway.Build(gateway.Inputs{Tenants: in.Tenants, Upstreams: in.Upstreams}, 1)
			if (without.Digest == s.Digest) != (len(c.want) == 0) {
				t.Error("the digest does not show what is served")
			}
		})
	}
}

func TestPortRange(t *testing.T) {
	for text, want := range map[string][2]int{"7000": {7000, 7000}, "1-1": {1, 1}, "7000-7999": {7000, 7999}, "65535": {65535, 65535},
		"": {}, "0": {}, "65536": {}, "9-8": {}, "a": {}, "1-": {}, "1-2-3": {}, "1-1001": {}} {
		first, last, err := gateway.PortRange(text)
		if got := [2]int{first, last}; got != want || (err != nil) != (want == [2]int{}) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	bad := tenant(1, "acme")
	bad.Spec.Ports = []string{"http"}
	if s := gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{bad}}, 1); len(s.Problems) != 1 || s.Problems[0].Code != "port_invalid" || s.Problems[0].Field != "spec.ports[0]" {
		t.Errorf("%v", problemLines(s))
	}
}
