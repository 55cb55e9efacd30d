package health

import (
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// initially is a tracker of a check whose new endpoints are down.
func initially(t *testing.T, addresses ...string) (*Tracker, gateway.EffectiveCheck) {
	t.Helper()
	check := gateway.EffectiveCheck{Active: &gateway.ActiveCheck{Type: "tcp", Initial: "down", Fall: 3, Rise: 2}}
	tr := NewTracker(keyAPI, "edge-1", func() float64 { return 0.5 })
	if changed := tr.Configure(start, check, effective(check, addresses...).Endpoints); len(changed) != len(addresses) {
		t.Fatalf("%d verdicts for %d new endpoints", len(changed), len(addresses))
	}
	return tr, check
}

func stateOf(t *testing.T, tr *Tracker, address string) gateway.Verdict {
	t.Helper()
	for _, v := range tr.Verdicts() {
		if v.Address == address {
			return v
		}
	}
	t.Fatalf("no verdict on %s", address)
	return gateway.Verdict{}
}

// A new endpoint gets nothing before its first success, which is enough; from then on Fall and
// Rise count.
func TestInitiallyDown(t *testing.T) {
	tr, _ := initially(t, "e1")
	good, bad := Result{}, Result{Err: "connection refused"}
	for i, step := range []struct {
		r    Result
		want gateway.HealthState
		rule string
	}{
		{bad, gateway.StateDown, RuleInitial},
		{bad, gateway.StateDown, RuleInitial},
		{good, gateway.StateHealthy, RuleActiveRise},
		{bad, gateway.StateHealthy, RuleActiveRise},
		{bad, gateway.StateHealthy, RuleActiveRise},
		{bad, gateway.StateDown, RuleActiveFall},
		{good, gateway.StateDown, RuleActiveFall},
		{good, gateway.StateHealthy, RuleActiveRise},
	} {
		tr.Probe(start.Add(time.Duration(i)*time.Second), "e1", step.r)
		if v := stateOf(t, tr, "e1"); v.State != step.want || v.Rule != step.rule {
			t.Errorf("after probe %d: %s by %s, want %s by %s", i+1, v.State, v.Rule, step.want, step.rule)
		}
	}
}

// Only endpoints that are new are taken out: neither a changed check nor a set that comes again
// is a reason to stop serving.
func TestInitialStateIsForNewcomers(t *testing.T) {
	tr, check := initially(t, "e1")
	tr.Probe(start, "e1", Result{})
	tr.Configure(start.Add(time.Second), check, effective(check, "e1", "e2").Endpoints)
	if a, b := stateOf(t, tr, "e1"), stateOf(t, tr, "e2"); a.State != gateway.StateHealthy || b.State != gateway.StateDown || b.Rule != RuleInitial {
		t.Errorf("e1 is %s, the newcomer e2 %s by %s", a.State, b.State, b.Rule)
	}
	other := check
	other.Active = &gateway.ActiveCheck{Type: "http", Initial: "down", Fall: 3, Rise: 2}
	tr.Configure(start.Add(2*time.Second), other, effective(other, "e1", "e2", "e3").Endpoints)
	for address, want := range map[string]gateway.HealthState{"e1": gateway.StateHealthy, "e2": gateway.StateUnknown, "e3": gateway.StateDown} {
		if v := stateOf(t, tr, address); v.State != want {
			t.Errorf("after a change of the check %s is %s, want %s", address, v.State, want)
		}
	}
}

// Of a run of successes the first and the newest stay, so that what came before is not lost.
func TestSamplesOfSuccesses(t *testing.T) {
	tr, _ := initially(t, "e1")
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second) }
	tr.Probe(at(0), "e1", Result{Err: "connection refused"})
	for i := 1; i < 100; i++ {
		tr.Probe(at(i), "e1", Result{})
	}
	tr.Probe(at(100), "e1", Result{Err: "connection reset"})
	var got []int
	for _, s := range tr.find("e1").samples {
		got = append(got, int(s.At.Sub(start).Seconds()))
	}
	if len(got) != 4 || got[0] != 0 || got[1] != 1 || got[2] != 99 || got[3] != 100 {
		t.Errorf("samples of the seconds %v, want 0 1 99 100", got)
	}
}
