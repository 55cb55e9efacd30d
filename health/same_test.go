package health

import (
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestSameQuestion(t *testing.T) {
	base := gateway.ActiveCheck{Type: "http", Path: "/", Expect: []string{"200"}, Timeout: gateway.Duration(time.Second), Rise: 2, Fall: 3}
	for _, c := range []struct {
		name   string
		change func(*gateway.ActiveCheck)
		same   bool
	}{
		{"nothing", func(*gateway.ActiveCheck) {}, true},
		{"interval", func(a *gateway.ActiveCheck) { a.Interval = 9 }, true},
		{"rise and fall", func(a *gateway.ActiveCheck) { a.Rise, a.Fall = 7, 8 }, true},
		{"type", func(a *gateway.ActiveCheck) { a.Type = "tcp" }, false},
		{"path", func(a *gateway.ActiveCheck) { a.Path = "/x" }, false},
		{"host", func(a *gateway.ActiveCheck) { a.Host = "x" }, false},
		{"timeout", func(a *gateway.ActiveCheck) { a.Timeout = 1 }, false},
		{"other status", func(a *gateway.ActiveCheck) { a.Expect = []string{"204"} }, false},
		{"initial", func(a *gateway.ActiveCheck) { a.Initial = "down" }, true},
		{"blocked status", func(a *gateway.ActiveCheck) { a.ExpectNot = []string{"502"} }, false},
		{"body", func(a *gateway.ActiveCheck) { a.Body = "ok" }, false},
		{"header", func(a *gateway.ActiveCheck) { a.Headers = map[string]string{"x": "1"} }, false},
		{"service", func(a *gateway.ActiveCheck) { a.Service = "shop.Cart" }, false},
		{"replication", func(a *gateway.ActiveCheck) { a.Replication = true }, false},
		{"user", func(a *gateway.ActiveCheck) { a.User = "probe" }, false},
		{"one more status", func(a *gateway.ActiveCheck) { a.Expect = []string{"200", "204"} }, false},
	} {
		changed := base
		c.change(&changed)
		if got := sameQuestion(&base, &changed); got != c.same {
			t.Errorf("%s: same question %v, want %v", c.name, got, c.same)
		}
	}
	if sameQuestion(&base, nil) || !sameQuestion(nil, nil) {
		t.Error("a check and none are not the same; none and none are")
	}
}

func TestSameDefinition(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*gateway.EffectiveUpstream)
		same   bool
	}{
		{"nothing", func(*gateway.EffectiveUpstream) {}, true},
		{"verdict", func(u *gateway.EffectiveUpstream) { u.Endpoints[0].Verdict.State = gateway.StateDown }, true},
		{"weight", func(u *gateway.EffectiveUpstream) { u.Endpoints[0].Weight = 0 }, false},
		{"terminating", func(u *gateway.EffectiveUpstream) { u.Endpoints[0].Terminating = true }, false},
		{"address", func(u *gateway.EffectiveUpstream) { u.Endpoints[0].Address = "e0" }, false},
		{"one less", func(u *gateway.EffectiveUpstream) { u.Endpoints = u.Endpoints[:1] }, false},
		{"check", func(u *gateway.EffectiveUpstream) { u.Health.Passive = nil }, false},
		{"protocol", func(u *gateway.EffectiveUpstream) { u.Protocol = "h2c" }, false},
		{"PROXY header", func(u *gateway.EffectiveUpstream) { u.ProxyProtocol = "v1" }, false},
	} {
		a, b := effective(passiveOnly, "e1", "e2"), effective(passiveOnly, "e1", "e2")
		c.change(b)
		if got := sameDefinition(a, b); got != c.same {
			t.Errorf("%s: same definition %v, want %v", c.name, got, c.same)
		}
	}
}
