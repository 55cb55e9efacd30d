package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestWaves(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{`[1, "10%", "100%"]`, ""},
		{`["1", "3", "50%", "100%"]`, ""},
		{`["100%"]`, ""},
		{`[1, 3]`, "the last wave is 3"},
		{`[3, 3, "100%"]`, "3 comes after 3"},
		{`["20%", "10%", "100%"]`, "10% comes after 20%"},
		{`["10%", 5, "100%"]`, "write counts before percentages"},
		{`[0, "100%"]`, `"0" is not a wave`},
		{`["101%"]`, `"101%" is not a wave`},
		{`["many"]`, `"many" is not a wave`},
		{`[1.5]`, `"1.5" is not a wave`},
	} {
		var waves []Wave
		got := ""
		if err := json.Unmarshal([]byte(row.in), &waves); err != nil {
			got = err.Error()
		} else {
			got = wavesProblem(waves)
		}
		if !strings.Contains(got, row.want) || row.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", row.in, got, row.want)
		}
	}
}

func TestWaveSizes(t *testing.T) {
	var got []string
	for _, nodes := range []int{0, 1, 5, 20, 250} {
		for _, w := range DefaultWaves {
			got = append(got, fmt.Sprintf("%s of %d: %d", w, nodes, w.Of(nodes)))
		}
	}
	const want = "1 of 0: 0, 10% of 0: 0, 100% of 0: 0, 1 of 1: 1, 10% of 1: 1, 100% of 1: 1, 1 of 5: 1, 10% of 5: 1, 100% of 5: 5, " +
		"1 of 20: 1, 10% of 20: 2, 100% of 20: 20, 1 of 250: 1, 10% of 250: 25, 100% of 250: 250"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
}

func TestPlan(t *testing.T) {
	zero := Duration(0)
	for _, row := range []struct {
		name string
		spec FleetSpec
		want string
	}{
		{"nothing is said", FleetSpec{ReloadBudget: ReloadBudget{Every: 1}}, "true [100%] 0s {0 0 0}"},
		{"no bake", FleetSpec{Bake: &zero}, "false [1 10% 100%] 0s {0.05 0.05 50}"},
		{"a gate", FleetSpec{Gates: Gates{MinRequests: 9, MaxErrorRatioDelta: 1}}, "false [1 10% 100%] 30s {1 0.05 9}"},
		{"waves that can't be", FleetSpec{Waves: []Wave{{Count: 2}}}, "false [1 10% 100%] 30s {0.05 0.05 50}"},
		{"one wave", FleetSpec{Waves: []Wave{{Percent: 100}}}, "false [100%] 30s {0.05 0.05 50}"},
	} {
		p := row.spec.Plan()
		if got := fmt.Sprintf("%v %v %v %v", p.AtOnce, p.Waves, p.Bake, p.Gates); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

func TestFleetProblems(t *testing.T) {
	s := Build(Inputs{Fleets: []*Fleet{{Meta: Meta{Kind: KindFleet, Name: "f"}, Spec: FleetSpec{Waves: []Wave{{Count: 2}}, Gates: Gates{MaxErrorRatioDelta: 5, MaxConnectErrorDelta: -1, MinRequests: -3}}}}}, 1)
	var got []string
	for _, p := range s.Problems {
		got = append(got, p.Field+" "+p.Code)
	}
	const want = "spec.gates.maxConnectErrorDelta gate_invalid, spec.gates.maxErrorRatioDelta gate_invalid, spec.gates.minRequests gate_invalid, spec.waves waves_invalid"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
}

// TestFleetSpans: what is out of bounds is a problem that names them, and the nearest is in force.
func TestFleetSpans(t *testing.T) {
	span := func(text string) (d Duration) {
		if err := d.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, row := range []struct{ every, bake, drain, inForce, want string }{
		{"0s", "0s", "0s", "0s 0s 0s", ""},
		{"100ms", "24h", "1h", "100ms 24h 1h", ""},
		{"1h", "1s", "1s", "1h 1s 1s", ""},
		{"1ms", "25h", "100h", "100ms 24h 1h", "spec.bake span_invalid 25h can not be used, so 24h is in force: write at most 24h. " +
			"spec.drain span_invalid 100h can not be used, so 1h is in force: write at most 1h. " +
			"spec.reloadBudget.every span_invalid 1ms can not be used, so 100ms is in force: write 100ms to 1h. "},
		{"2h", "0s", "0s", "1h 0s 0s", "spec.reloadBudget.every span_invalid 2h can not be used, so 1h is in force: write 100ms to 1h. "},
	} {
		bake := span(row.bake)
		f := &Fleet{Meta: Meta{Kind: KindFleet, Name: "f"}, Spec: FleetSpec{ReloadBudget: ReloadBudget{Every: span(row.every)}, Bake: &bake, Drain: span(row.drain)}}
		got := ""
		for _, p := range Build(Inputs{Fleets: []*Fleet{f}}, 1).Problems {
			got += p.Field + " " + p.Code + " " + p.Message + " "
		}
		if got != row.want {
			t.Errorf("%+v: got %s", row, got)
		}
		plan := f.Spec.Plan()
		if in := fmt.Sprintf("%s %s %s", f.Spec.ReloadBudget.Bounded(), plan.Bake, plan.Drain); in != row.inForce {
			t.Errorf("%+v: %s is in force", row, in)
		}
	}
}

func TestIntentOf(t *testing.T) {
	key := UpstreamKey{Tenant: "acme", Name: "api"}
	snapshot := func(address, protocol string) *Snapshot {
		return &Snapshot{
			Tenants:   []*Tenant{{Meta: Meta{Name: "acme"}, Spec: TenantSpec{Fleets: []string{"f"}}}, {Meta: Meta{Name: "other"}}},
			Upstreams: []*EffectiveUpstream{{Key: key, Protocol: protocol, Endpoints: []Endpoint{{Address: address}}}, {Key: UpstreamKey{Tenant: "other", Name: address}}},
		}
	}
	before := snapshot("10.0.0.1:80", "http")
	if before.IntentOf("f") != snapshot("10.0.0.2:80", "http").IntentOf("f") {
		t.Error("an endpoint, or another fleet's tenant, is part of it")
	}
	if before.IntentOf("f") == snapshot("10.0.0.1:80", "grpc").IntentOf("f") {
		t.Error("an upstream's protocol is no part of it")
	}
	if before.IntentOf("f") == before.IntentOf("g") {
		t.Error("which tenants a fleet mirrors is no part of it")
	}
}
