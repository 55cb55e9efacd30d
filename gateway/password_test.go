package gateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// The password of a probe is in the store and in what goes there, and nowhere else: not in JSON,
// not in a snapshot, not in logs. The placeholder written back keeps it.
func TestProbePassword(t *testing.T) {
	const secret = "open-sesame"
	probed := func(password gateway.Secret) *gateway.Upstream {
		u := upstream("acme", "cache")
		u.Spec.Endpoints = []gateway.ManualEndpoint{{Address: "10.0.0.4:6379"}}
		u.Spec.Health = gateway.Health{Active: &gateway.ActiveCheck{Type: "redis", User: "probe", Password: password, Replication: true}, NoPanic: true}
		return u
	}
	u := probed(secret)
	s := gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{tenant(1, "acme")}, Upstreams: []*gateway.Upstream{u}}, 1)
	if len(s.Problems) > 0 || s.Upstreams[0].Health.Active.Password != secret {
		t.Fatalf("%v, %+v", problemLines(s), s.Upstreams[0].Health.Active)
	}
	shown, err := json.Marshal([]any{u, s})
	if err != nil {
		t.Fatal(err)
	}
	if text := string(shown) + fmt.Sprintf("%v %+v %#v", *u.Spec.Health.Active, *u.Spec.Health.Active, *u.Spec.Health.Active); strings.Contains(text, secret) || !strings.Contains(text, gateway.SecretPlaceholder) {
		t.Errorf("shown: %s", text)
	}
	b, err := gateway.MarshalClear(u)
	if err != nil {
		t.Fatal(err)
	}
	back := &gateway.Upstream{}
	if err := json.Unmarshal(b, back); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(u, back); diff != "" {
		t.Error(diff)
	}

	kept := probed(gateway.SecretPlaceholder)
	shared := kept.Spec.Health.Active
	if err := gateway.KeepSecrets(kept, u); err != nil || kept.Spec.Health.Active.Password != secret || shared.Password != gateway.SecretPlaceholder {
		t.Errorf("%v, %q", err, string(kept.Spec.Health.Active.Password))
	}
	for name, before := range map[string]gateway.Object{"nothing": nil, "no password": probed(""), "no check": upstream("acme", "cache")} {
		if err := gateway.KeepSecrets(probed(gateway.SecretPlaceholder), before); !errors.Is(err, gateway.ErrInvalid) || !strings.Contains(err.Error(), "spec.health.active.password") {
			t.Errorf("%s before: %v", name, err)
		}
	}
	if err := gateway.KeepSecrets(probed("new"), u); err != nil {
		t.Error(err)
	}
}

// What a password can't be used for is told.
func TestPasswordOfOthers(t *testing.T) {
	for name, c := range map[string]struct {
		check        gateway.ActiveCheck
		field, probe string
	}{
		"http":             {gateway.ActiveCheck{Type: "http", Password: "x"}, "spec.health.active.password", "http"},
		"redis user alone": {gateway.ActiveCheck{Type: "redis", User: "probe"}, "spec.health.active.password", ""},
		"too long":         {gateway.ActiveCheck{Type: "redis", Password: gateway.Secret(strings.Repeat("x", 513))}, "spec.health.active.password", ""},
	} {
		u := upstream("acme", "cache")
		u.Spec.Health.Active = &c.check
		s := gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{tenant(1, "acme")}, Upstreams: []*gateway.Upstream{u}}, 1)
		if len(s.Problems) != 1 || s.Problems[0].Field != c.field || (s.Upstreams[0].Health.Active != nil) != (c.probe != "") {
			t.Errorf("%s: %v", name, s.Problems)
		}
	}
}
