package control

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

// counted is what the metrics of a guard say, without those that are zero.
func counted(t *testing.T, g *Guard) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(g); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			line := strings.TrimPrefix(f.GetName(), "sluice_shrink_")
			for _, l := range m.GetLabel() {
				line += " " + l.GetValue()
			}
			if n := int(m.GetGauge().GetValue() + m.GetCounter().GetValue()); n > 0 {
				out = append(out, line+strings.Repeat("+", n))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// Every end of a hold is counted by its reason, and what is held now is a gauge and a list.
func TestGuardCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, GuardConfig{})
		u := g.key.Upstream
		lose := func() {
			g.says("a b")
			g.says("")
		}
		following := gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: u.Tenant}}},
			Upstreams: []*gateway.Upstream{{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: u.Tenant, Name: u.Name},
				Spec: gateway.UpstreamSpec{Discover: []gateway.Discover{{Etcd: &gateway.EtcdDiscover{Prefix: "/api/"}}}}}}}, 1)
		lose()
		g.Apply(following)
		if got, want := counted(t, g.Guard), "held_endpoints etcd acme/api++, holds_total+"; got != want {
			t.Errorf("held: %s, want %s", got, want)
		}
		s := g.Shrinks()
		if len(s) != 1 || s[0].Upstream != u || s[0].Place != "default:/api/" || s[0].Lost != 2 || s[0].Of != 2 || !slices.Equal(s[0].Kept, []string{"a", "b"}) ||
			s[0].Until.Sub(s[0].Since) != time.Minute || !s[0].Since.Equal(time.Now()) {
			t.Errorf("shrinks %+v", s)
		}
		g.says("a b") // returned
		lose()
		g.Accept(u)
		lose()
		time.Sleep(time.Hour) // expired
		synctest.Wait()
		lose()
		for _, state := range []gateway.HealthState{gateway.StateDown, gateway.StateUnknown} { // unanswered, and forgotten
			for _, a := range []string{"a", "b"} {
				g.SetVerdicts([]gateway.Verdict{{EndpointKey: gateway.EndpointKey{Upstream: u, Address: a}, State: state}})
			}
		}
		lose()
		g.says("none") // declared
		lose()
		g.Apply(gateway.Build(gateway.Inputs{}, 2)) // unfollowed
		want := "holds_ended_total accepted+, holds_ended_total declared+, holds_ended_total expired+, holds_ended_total returned+, " +
			"holds_ended_total unanswered+, holds_ended_total unfollowed+, holds_total++++++"
		if got := counted(t, g.Guard); got != want {
			t.Errorf("in the end: %s, want %s", got, want)
		}
		if s := g.Shrinks(); len(s) != 0 {
			t.Errorf("shrinks in the end: %+v", s)
		}
	})
}
