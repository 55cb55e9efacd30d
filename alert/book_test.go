package alert

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

var (
	start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	api   = gateway.UpstreamKey{Tenant: "acme", Name: "api"}
)

// heard is what is told in a test, one line each.
func heard(news []gateway.Alert) string {
	var out []string
	for i := range news {
		a := &news[i]
		word := string(a.Severity)
		if a.Resolved {
			word = fmt.Sprintf("over after %s", a.Ended.Sub(a.Since))
		}
		out = append(out, a.ID+" "+word)
	}
	return strings.Join(out, "; ")
}

func verdict(state gateway.HealthState, rule string) *gateway.Verdict {
	return &gateway.Verdict{EndpointKey: gateway.EndpointKey{Upstream: api, Address: "10.0.0.4:80"}, State: state, Rule: rule, Reason: "5 gateway errors in a row (502)", Since: start}
}

func event(at time.Duration, kind gateway.EventKind, v *gateway.Verdict) *gateway.HealthEvent {
	e := &gateway.HealthEvent{At: start.Add(at), Kind: kind, Upstream: api, Reason: "because", Verdict: v}
	if v != nil {
		e.Address = v.Address
	}
	return e
}

func TestEndpointIsOneAlertUntilItReturns(t *testing.T) {
	b := NewBook("edge-1")
	const out = "endpoint_out/acme/api/10.0.0.4:80"
	shadow := event(0, gateway.EventEjected, verdict(gateway.StateEjected, "error_ratio"))
	shadow.Shadow = true
	for _, step := range []struct {
		e    *gateway.HealthEvent
		want string
	}{
		{shadow, ""},
		{event(0, gateway.EventDown, verdict(gateway.StateDown, "initial")), ""},
		{event(0, gateway.EventEjected, verdict(gateway.StateEjected, "error_ratio")), out + " warning"},
		{event(30*time.Second, gateway.EventProbation, verdict(gateway.StateProbation, "ejection_expired")), ""},
		{event(31*time.Second, gateway.EventEjected, verdict(gateway.StateEjected, "probation_failed")), ""},
		{event(40*time.Second, gateway.EventDown, verdict(gateway.StateDown, "active_fall")), ""},
		{event(90*time.Second, gateway.EventReturned, verdict(gateway.StateHealthy, "active_rise")), out + " over after 1m30s"},
		{event(91*time.Second, gateway.EventReturned, verdict(gateway.StateHealthy, "active_rise")), ""},
		{event(100*time.Second, gateway.EventEjected, verdict(gateway.StateEjected, "error_ratio")), out + " warning"},
		{event(110*time.Second, gateway.EventPinned, verdict(gateway.StateDown, "by_hand")), out + " over after 1m50s"},
		{event(120*time.Second, gateway.EventServiceBad, nil), "service_bad/acme/api critical"},
		{event(121*time.Second, gateway.EventPanic, nil), "panic/acme/api critical"},
		{event(130*time.Second, gateway.EventCalm, nil), "panic/acme/api over after 9s"},
		{event(150*time.Second, gateway.EventServiceGood, nil), "service_bad/acme/api over after 30s"},
	} {
		if got := heard(b.Event(step.e)); got != step.want {
			t.Errorf("at %s %s: told %q, want %q", step.e.At.Sub(start), step.e.Kind, got, step.want)
		}
	}
	if a := b.Active(); len(a) != 0 {
		t.Errorf("still active: %s", heard(a))
	}
}

// What events did not tell is found by looking at the verdicts, and nothing twice.
func TestLookAfterMissedEvents(t *testing.T) {
	b := NewBook("edge-1")
	bad := []gateway.UpstreamHealth{{Upstream: api, Panic: true, Service: gateway.ServiceVerdict{Bad: true, Since: start, Reason: "all fail"},
		Verdicts: []gateway.Verdict{*verdict(gateway.StateEjected, "error_ratio"), {State: gateway.StateDrained, Rule: "by_hand"}, {State: gateway.StateHealthy}}}}
	const all = "panic/acme/api critical; service_bad/acme/api critical; endpoint_out/acme/api/10.0.0.4:80 warning"
	look := func(now time.Duration, h []gateway.UpstreamHealth) string {
		news := b.Look(start.Add(now), healthKinds, HealthConditions(h))
		slices.SortFunc(news, func(a, b gateway.Alert) int { return strings.Compare(string(b.Severity)+a.ID, string(a.Severity)+b.ID) })
		return heard(news)
	}
	if got := look(0, bad); len(strings.Split(got, "; ")) != 3 {
		t.Fatalf("told %q, want in some order %q", got, all)
	}
	if got := look(time.Second, bad); got != "" {
		t.Errorf("told again: %q", got)
	}
	if got := heard(b.Event(event(2*time.Second, gateway.EventEjected, verdict(gateway.StateEjected, "error_ratio")))); got != "" {
		t.Errorf("the late event told again: %q", got)
	}
	if got := look(time.Minute, nil); strings.Count(got, "over after 1m0s") != 3 {
		t.Errorf("at the end: %q, want that all three are over", got)
	}
}

func TestLookLeavesOtherKindsAlone(t *testing.T) {
	b := NewBook("edge-1")
	b.Event(event(0, gateway.EventServiceBad, nil))
	if got := heard(b.Look(start, []gateway.AlertKind{gateway.AlertDrift}, nil)); got != "" || len(b.Active()) != 1 {
		t.Errorf("a look at drift told %q of health", got)
	}
}

func TestGraceAndSeverity(t *testing.T) {
	b := NewBook("edge-1")
	kinds := gateway.AlertKinds
	look := func(at time.Duration, f Facts) string { return heard(b.Look(start.Add(at), kinds, Conditions(f))) }
	lost := Facts{Sources: []Source{{Name: "etcd/default", Lost: true, Why: "no route"}, {Name: "dns/default"}}}
	const down = "source_down/etcd/default"
	for _, step := range []struct {
		at   time.Duration
		f    Facts
		want string
	}{
		{0, lost, ""},
		{14 * time.Second, lost, ""},
		{14500 * time.Millisecond, Facts{}, ""}, // a reconnection
		{15 * time.Second, lost, ""},
		{30 * time.Second, lost, down + " warning"},
		{31 * time.Second, lost, ""},
		{40 * time.Second, Facts{}, down + " over after 10s"},
		{50 * time.Second, Facts{Problems: []gateway.Problem{certificate("certificate_expiring")}}, "certificate/Certificate/acme/shop warning"},
		{51 * time.Second, Facts{Problems: []gateway.Problem{certificate("certificate_expired")}}, "certificate/Certificate/acme/shop critical"},
		{52 * time.Second, Facts{Problems: []gateway.Problem{certificate("certificate_expired")}}, ""},
		{60 * time.Second, Facts{}, "certificate/Certificate/acme/shop over after 10s"},
	} {
		if got := look(step.at, step.f); got != step.want {
			t.Errorf("at %s: told %q, want %q", step.at, got, step.want)
		}
	}
}

func certificate(code string) gateway.Problem {
	return gateway.Problem{Object: gateway.Ref{Kind: gateway.KindCertificate, Tenant: "acme", Name: "shop"}, Code: code, Message: "It expires."}
}

func TestConditions(t *testing.T) {
	override := gateway.Ref{Kind: gateway.KindOverride, Tenant: "acme", Name: "big"}
	node := func(name string, state gateway.NodeState, change func(*gateway.Node)) gateway.Node {
		n := gateway.Node{State: state}
		n.Fleet, n.Node = "shared", name
		change(&n)
		return n
	}
	got := Conditions(Facts{
		Store: "no leader",
		Nodes: []gateway.Node{
			node("n1", gateway.NodeInSync, func(*gateway.Node) {}),
			node("n2", gateway.NodeDrifted, func(n *gateway.Node) { n.Drift = []gateway.FileDrift{{Path: "acme/api.conf", Change: "modified"}} }),
			node("n3", gateway.NodeDrifted, func(n *gateway.Node) { n.CheckError = "unexpected }" }),
			node("n5", gateway.NodeDrifted, func(n *gateway.Node) {
				n.Drift, n.CheckError = []gateway.FileDrift{{Path: "acme/api.conf", Change: "modified"}}, "unexpected }"
			}),
			node("n6", gateway.NodeDrifted, func(n *gateway.Node) { n.Reason = gateway.ReasonNotLoaded }),
			node("n4", gateway.NodeSilent, func(n *gateway.Node) { n.ReportedAt = start }),
			node("n8", gateway.NodeFailed, func(n *gateway.Node) { n.Reason = gateway.ReasonNotRunning }),
			node("n9", gateway.NodeFailed, func(n *gateway.Node) { n.Reason, n.CheckError = gateway.ReasonNotRunning, "unexpected }" }),
			node("n10", gateway.NodeInSync, func(n *gateway.Node) { n.Reason = gateway.ReasonOrphans }),
			node("n7", gateway.NodeSilent, func(n *gateway.Node) { n.Revoked = true }),
		},
		Problems: []gateway.Problem{
			{Object: override, Code: "nginx_check_failed", Source: "node n5", Message: "unknown directive."},
			{Object: override, Code: "nginx_check_failed", Source: "node n6", Message: "unknown directive."},
			{Object: override, Code: "nginx_value_refused", Source: "fleet shared"},
			{Object: gateway.Ref{Kind: gateway.KindUpstream, Tenant: "acme", Name: "api"}, Code: "shrink_held", Message: "3 of 4."},
			{Object: gateway.Ref{Kind: gateway.KindTenant, Name: "acme"}, Code: "host_taken"},
			{Object: gateway.Ref{Kind: gateway.KindOverride, Tenant: "acme", Name: "typo"}, Code: "nginx_refused", Source: "fleet shared", Message: "Invalid value."},
			{Object: gateway.Ref{Kind: gateway.KindFleet, Name: "old"}, Code: "fleet_missing", Source: "fleet old", Message: "2 nodes."},
			{Object: gateway.Ref{Kind: gateway.KindFleet, Name: "eu"}, Code: "nginx_refused", Source: "fleet eu", Message: "Bind failed."},
			{Object: gateway.Ref{Kind: gateway.KindFleet, Name: "shared"}, Code: "rollout_failed", Source: "fleet shared", Message: "Revision 7 was taken back."},
		},
	})
	var lines []string
	for _, a := range got {
		lines = append(lines, fmt.Sprintf("%s %s %q %q", a.ID, a.Severity, a.Summary, a.Detail))
	}
	want := []string{
		`store_down warning "the store is out of reach" "Traffic is served, nothing can be changed. no leader"`,
		`drift/shared/n2 warning "node n2 of fleet shared has drifted" "Changed by hand: acme/api.conf modified. See sluice fleet drift shared."`,
		`drift/shared/n3 critical "node n3 of fleet shared has files that nginx refuses" "A restart of nginx would fail: unexpected }"`,
		`drift/shared/n5 critical "node n5 of fleet shared has files that nginx refuses" "A restart of nginx would fail: unexpected }. Changed by hand: acme/api.conf modified. See sluice fleet drift shared."`,
		`drift/shared/n6 warning "node n6 of fleet shared has drifted" "Its nginx has not loaded the files as they are on disk: somebody has changed them. See sluice fleet drift shared."`,
		`node_silent/shared/n4 warning "node n4 of fleet shared is silent" "Its agent does not report: what nginx runs there is not known."`,
		`nginx_down/shared/n8 critical "nginx does not run on node n8 of fleet shared" "Start it: the files on disk were accepted by nginx -t."`,
		`nginx_down/shared/n9 critical "nginx does not run on node n9 of fleet shared" "It would not start: unexpected }"`,
		`nginx_down/shared/n10 critical "nginx has no master on node n10 of fleet shared" "Its workers serve on with what they have, and nothing reaches them. Start nginx: the agent ends them then."`,
		`rollout_failed/Override/acme/big critical "override acme/big was refused by nginx" "unknown directive. (and 1 more like it)"`,
		`shrink_held/Upstream/acme/api warning "upstream acme/api has lost endpoints all at once" "3 of 4."`,
		`rollout_failed/Override/acme/typo warning "override acme/typo is left out of nginx nodes" "Invalid value."`,
		`node_silent/Fleet/old warning "fleet old is gone, and nodes still run its files" "2 nodes."`,
		`rollout_failed/Fleet/eu critical "fleet eu gets no new configuration" "Bind failed."`,
		`rollout_failed/Fleet/shared critical "fleet shared took a change back" "Revision 7 was taken back."`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}
