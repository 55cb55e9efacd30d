package control_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// A pin is in force until its time, also when its upstream alone is decided again meanwhile, and
// a dry run shows what it would do.
func TestPinExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		p := &gateway.Pin{Meta: gateway.Meta{Kind: gateway.KindPin, Tenant: "t", Name: "p"},
			Spec: gateway.PinSpec{Upstream: "u", Address: set(7).Endpoints[0].Address, State: gateway.PinDrained, Expires: time.Now().Add(time.Minute)}}
		drained := func(s *gateway.Snapshot) bool {
			return s.Upstreams[0].Endpoints[0].Verdict.State == gateway.StateDrained
		}
		l.SetObjects(objects())
		l.SetEndpoints(set(7))
		time.Sleep(time.Second)
		dry, err := l.DryRun(context.Background(), []gateway.Change{{Ref: p.Ref(), Object: p}})
		if err != nil || !drained(dry) || drained(l.Snapshot()) {
			t.Errorf("dry run: %v, drained in it: %v, live: %v", err, drained(dry), drained(l.Snapshot()))
		}
		l.Change([]gateway.Change{{Ref: p.Ref(), Object: p}})
		time.Sleep(time.Second)
		if !drained(l.Snapshot()) {
			t.Fatal("the pin is not in force")
		}
		key := gateway.UpstreamKey{Tenant: "t", Name: "u"}
		l.SetVerdicts([]gateway.Verdict{{EndpointKey: gateway.EndpointKey{Upstream: key, Address: p.Spec.Address}, State: gateway.StateHealthy}})
		time.Sleep(time.Second)
		if !drained(l.Snapshot()) {
			t.Error("a verdict has undone the pin")
		}
		dry, err = l.DryRun(context.Background(), []gateway.Change{{Ref: objects()[1].Head().Ref(), Object: objects()[1]}})
		if err != nil || !drained(dry) {
			t.Errorf("a dry run of the upstream forgets its pin (%v)", err)
		}
		time.Sleep(time.Minute)
		if drained(l.Snapshot()) {
			t.Error("the pin outlived its time")
		}
	})
}
