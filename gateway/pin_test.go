package gateway_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// pinned is a site whose upstream acme/api has three endpoints by hand, with verdicts.
func pinned(pins ...*gateway.Pin) gateway.Inputs {
	u := upstream("acme", "api")
	set := set(u.Key(), gateway.SourceManual, "")
	for _, a := range []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"} {
		set.Endpoints = append(set.Endpoints, gateway.SourceEndpoint{Address: a, Weight: 1})
	}
	return gateway.Inputs{Tenants: []*gateway.Tenant{tenant(1, "acme")}, Upstreams: []*gateway.Upstream{u}, Sets: []gateway.EndpointSet{set}, Pins: pins,
		Verdicts: []gateway.Verdict{verdict(u.Key(), "10.0.0.1:80", gateway.StateHealthy), verdict(u.Key(), "10.0.0.2:80", gateway.StateEjected)}}
}

func pin(name, address string, state gateway.PinState) *gateway.Pin {
	return &gateway.Pin{Meta: gateway.Meta{Kind: gateway.KindPin, Tenant: "acme", Name: name, Revision: 7, UpdatedBy: "alice"},
		Spec: gateway.PinSpec{Upstream: "api", Address: address, State: state, Reason: "disk"}}
}

// rotation is "1 healthy, 2 ejected out, 3 unknown".
func rotation(u *gateway.EffectiveUpstream) string {
	var parts []string
	for _, e := range u.Endpoints {
		text := strings.TrimSuffix(strings.TrimPrefix(e.Address, "10.0.0."), ":80") + " " + string(e.Verdict.State)
		if !e.InRotation {
			text += " out"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// A person's word wins over health, in both directions, and in a panic too.
func TestPins(t *testing.T) {
	for _, c := range []struct {
		name string
		pins []*gateway.Pin
		want string
	}{
		{"none", nil, "1 healthy, 2 ejected out, 3 unknown"},
		{"drained", []*gateway.Pin{pin("a", "10.0.0.1:80", "drained")}, "1 drained out, 2 ejected out, 3 unknown"},
		{"down", []*gateway.Pin{pin("a", "10.0.0.1:80", "down")}, "1 down out, 2 ejected out, 3 unknown"},
		{"up though ejected", []*gateway.Pin{pin("a", "10.0.0.2:80", "up")}, "1 healthy, 2 healthy, 3 unknown"},
		{"another spelling of the address", []*gateway.Pin{pin("a", "[::ffff:10.0.0.1]:80", "drained")}, "1 drained out, 2 ejected out, 3 unknown"},
		{"the last ones drained: panic uses the ejected one, and no drained one",
			[]*gateway.Pin{pin("a", "10.0.0.1:80", "drained"), pin("b", "10.0.0.3:80", "down")}, "1 drained out, 2 ejected, 3 down out"},
		{"all drained: nobody serves", []*gateway.Pin{pin("a", "10.0.0.1:80", "drained"), pin("b", "10.0.0.2:80", "drained"), pin("c", "10.0.0.3:80", "drained")},
			"1 drained out, 2 drained out, 3 drained out"},
	} {
		s := gateway.Build(pinned(c.pins...), 1)
		if got := rotation(s.Upstreams[0]); got != c.want || len(s.Problems) > 0 {
			t.Errorf("%s: %s, want %s; %v", c.name, got, c.want, s.Problems)
		}
		if (s.Digest == gateway.Build(pinned(), 1).Digest) != (c.pins == nil) {
			t.Errorf("%s: a pin is intent, so the digest has to show it", c.name)
		}
	}
}

// The verdict says who has spoken, why and until when.
func TestPinVerdict(t *testing.T) {
	p := pin("a", "10.0.0.1:80", "drained")
	p.UpdatedAt, p.Spec.Expires = time.Unix(1000, 0), time.Unix(5000, 0)
	v := gateway.Build(pinned(p), 1).Upstreams[0].Endpoints[0].Verdict
	if v.Reason != "drained by alice: disk" || v.Rule != "by_hand" || !v.Since.Equal(p.UpdatedAt) || !v.Until.Equal(p.Spec.Expires) {
		t.Errorf("verdict %+v", v)
	}
}

// Of two pins of one endpoint the one that was written last counts.
func TestTwoPins(t *testing.T) {
	first, second := pin("z", "10.0.0.1:80", "drained"), pin("a", "10.0.0.1:80", "up")
	second.Revision = 8
	for range 2 {
		in := pinned(first, second)
		if got := rotation(gateway.Build(in, 1).Upstreams[0]); got != "1 healthy, 2 ejected out, 3 unknown" {
			t.Error(got)
		}
		first, second = second, first
	}
}

// A verdict that health gave because of a pin says nothing when the pin is gone.
func TestPinIsGone(t *testing.T) {
	in := pinned()
	in.Verdicts[0].State, in.Verdicts[0].Rule = gateway.StateDown, gateway.RuleByHand
	if got := rotation(gateway.Build(in, 1).Upstreams[0]); got != "1 unknown, 2 ejected out, 3 unknown" {
		t.Error(got)
	}
}

// Pins that do nothing are problems of their own, and every other one counts.
func TestPinProblems(t *testing.T) {
	bad := func(edit func(*gateway.Pin)) *gateway.Pin {
		p := pin("bad", "10.0.0.3:80", "drained")
		edit(p)
		return p
	}
	for _, c := range []struct {
		pin  *gateway.Pin
		want string
	}{
		{bad(func(p *gateway.Pin) { p.Spec.Address = "api.test:80" }), "Pin acme/bad: spec.address: address_invalid"},
		{bad(func(p *gateway.Pin) { p.Spec.Address = "10.9.9.9:80" }), "Pin acme/bad: spec.address: endpoint_unknown"},
		{bad(func(p *gateway.Pin) { p.Spec.State = "asleep" }), "Pin acme/bad: spec.state: state_unknown"},
		{bad(func(p *gateway.Pin) { p.Spec.Upstream = "nosuch" }), "Pin acme/bad: spec.upstream: upstream_unknown"},
		{bad(func(p *gateway.Pin) { p.Tenant = "ghost" }), "Pin ghost/bad: tenant: tenant_unknown"},
	} {
		s := gateway.Build(pinned(pin("good", "10.0.0.1:80", "drained"), c.pin), 1)
		if got := problemLines(s); !slices.Equal(got, []string{c.want + ", found by build"}) {
			t.Errorf("got %v, want %s", got, c.want)
		}
		if got := rotation(s.Upstreams[0]); got != "1 drained out, 2 ejected out, 3 unknown" {
			t.Errorf("%s: %s", c.want, got)
		}
	}
}

// Names are valid and different, however long the parts are.
func TestPinName(t *testing.T) {
	long := strings.Repeat("a", 60)
	seen := map[string]bool{}
	for _, c := range [][2]string{{"api", "10.0.0.1:80"}, {"api", "[2001:db8::4]:80"}, {"api", "[::1]:80"}, {long, "10.0.0.1:80"}, {long, "10.0.0.2:80"}} {
		name := gateway.PinName(c[0], c[1])
		if len(name) > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || strings.HasSuffix(name, "-") || seen[name] {
			t.Errorf("%v: %q", c, name)
		}
		seen[name] = true
	}
}
