package health

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestS20Heartbeats: with a threshold of two, the first miss leaves the endpoint in and counts
// one, the second takes it out and counts two, and one success resets both.
func TestS20Heartbeats(t *testing.T) {
	k := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	tr := NewTracker(k, "edge-1", func() float64 { return 0.5 })
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	check := gateway.EffectiveCheck{Active: &gateway.ActiveCheck{Type: "tcp", Fall: 2, Rise: 1}}
	tr.Configure(at(0), check, []gateway.Endpoint{{Address: "10.0.0.4:80", Weight: 1}, {Address: "10.0.0.5:80", Weight: 1}})
	if beats := tr.heartbeats(); len(beats) != 0 {
		t.Errorf("heartbeats before any probe: %+v", beats)
	}
	for i, c := range []struct {
		err   string
		fails int
		state gateway.HealthState
	}{
		{"", 0, gateway.StateHealthy},
		{"connection refused", 1, gateway.StateHealthy},
		{"timeout", 2, gateway.StateDown},
		{"timeout", 3, gateway.StateDown},
		{"", 0, gateway.StateHealthy},
		{"timeout", 1, gateway.StateHealthy},
	} {
		tr.Probe(at(i+1), "10.0.0.4:80", Result{Err: c.err})
		want := []gateway.Heartbeat{{Address: "10.0.0.4:80", At: at(i + 1), Failures: c.fails, Error: c.err}}
		if diff := cmp.Diff(want, tr.heartbeats()); diff != "" || tr.Verdicts()[0].State != c.state {
			t.Errorf("probe %d: %s %s", i+1, tr.Verdicts()[0].State, diff)
		}
	}
	check.Active = &gateway.ActiveCheck{Type: "http", Fall: 2, Rise: 1}
	tr.Configure(at(9), check, []gateway.Endpoint{{Address: "10.0.0.4:80", Weight: 1}})
	if beats := tr.heartbeats(); len(beats) != 0 {
		t.Errorf("heartbeats of another check: %+v", beats)
	}
}
