package configsync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

func TestGates(t *testing.T) {
	gates := gateway.Gates{MaxErrorRatioDelta: 0.05, MaxConnectErrorDelta: 0.05, MinRequests: 50}
	all := func(requests, errors, exchanges, failed uint64) tally {
		return tally{everything: {requests, errors, exchanges, failed}}
	}
	host := func(t tally, name string, requests, errors uint64) tally {
		t[name] = counts{Requests: requests, Errors: errors}
		return t
	}
	for _, c := range []struct {
		name                       string
		changed, reference, before tally
		gates                      gateway.Gates
		want                       string
	}{
		{name: "as good as the others", changed: all(1000, 20, 1000, 0), reference: all(9000, 180, 9000, 0)},
		{name: "worse than the others", changed: all(1000, 200, 1000, 0), reference: all(9000, 180, 9000, 0),
			want: "The share of 5xx answers for all hosts is too high: 20.0% (200 of 1000 requests) on 1 node with the change, 2.0% (180 of 9000) on 3 nodes without it. The gate is 5.0% more."},
		{name: "bad, but as bad as the others", changed: all(1000, 500, 1000, 500), reference: all(9000, 4500, 9000, 4500)},
		{name: "a little worse", changed: all(1000, 60, 1000, 0), reference: all(9000, 180, 9000, 0)},
		{name: "worse by chance", changed: all(60, 5, 60, 0), reference: all(60, 1, 60, 0)},
		{name: "too few requests to say", changed: all(49, 49, 49, 49), reference: all(9000, 0, 9000, 0)},
		{name: "worse than before, where there is nobody else", changed: all(1000, 200, 1000, 0), before: all(500, 5, 500, 0),
			want: "1.0% (5 of 500) on the same before it"},
		{name: "as bad as before", changed: all(1000, 200, 1000, 0), before: all(500, 100, 500, 0)},
		{name: "nothing to compare with, and a few errors", changed: all(1000, 200, 1000, 0)},
		{name: "nothing to compare with, and hopeless", changed: all(1000, 900, 1000, 0), want: "there were none to compare with"},
		{name: "one small host among many requests", changed: host(all(100000, 60, 100000, 0), "shop.test", 60, 60), reference: host(all(100000, 0, 100000, 0), "shop.test", 60, 0),
			want: "for host shop.test is too high: 100.0% (60 of 60 requests)"},
		{name: "endpoints out of reach", changed: all(1000, 0, 1000, 300), reference: all(9000, 0, 9000, 9),
			want: "Too many attempts to connect to endpoints fail: 30.0% (300 of 1000 attempts)"},
		{name: "switched off", changed: all(1000, 1000, 1000, 1000), reference: all(9000, 0, 9000, 0), gates: gateway.Gates{MaxErrorRatioDelta: 1, MaxConnectErrorDelta: 1, MinRequests: 50}},
	} {
		if c.gates == (gateway.Gates{}) {
			c.gates = gates
		}
		e := evidence{changed: c.changed, reference: c.reference, before: c.before, nodes: 1, references: 3}
		figures, got := e.judge(c.gates)
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if figures == nil || figures.Changed.Nodes != 1 {
			t.Errorf("%s: no figures: %+v", c.name, figures)
		}
	}
}

// What is counted before a wave runs, and by a process before this one, is not held against it.
func TestMeter(t *testing.T) {
	at := time.Unix(1700000000, 0)
	m := meter{}
	sum := func(all map[string]tally, seconds int) { m.take(all, at.Add(time.Duration(seconds)*time.Second)) }
	sum(map[string]tally{"a": {everything: {Requests: 1000, Errors: 100}}}, 0)
	sum(map[string]tally{"a": {everything: {Requests: 1500, Errors: 101}}}, 60)
	m.begin(7)
	m.begin(7)
	if got := m.sumBefore([]string{"a"})[everything]; got != (counts{Requests: 500, Errors: 1}) {
		t.Errorf("before: %+v", got)
	}
	since := at.Add(70 * time.Second)
	m.count(since)
	sum(map[string]tally{"a": {everything: {Requests: 1600, Errors: 131}}}, 80)
	m.count(since)
	if got := m.sum([]string{"a", "unknown"})[everything]; got != (counts{Requests: 100, Errors: 30}) {
		t.Errorf("the wave: %+v", got)
	}
	sum(map[string]tally{"a": {everything: {Requests: 10}}}, 90)
	if got := m.sum([]string{"a"})[everything]; got != (counts{Requests: 10}) {
		t.Errorf("counted anew: %+v", got)
	}
}

func TestTally(t *testing.T) {
	sum := tally{}
	batch := protocol.Outcomes{
		Endpoints: []protocol.EndpointOutcomes{{Runs: []protocol.Run{{Status: 200, Count: 5}, {Failure: gateway.FailureConnect, Count: 2}, {Failure: gateway.FailureReset, Count: 1}}}},
		Answers:   []protocol.Answers{{Server: "shop.test", Count: 6, Errors: 1}, {Server: "_", Count: 1}},
	}
	sum.add(&batch)
	sum.add(&batch)
	if sum[everything] != (counts{Requests: 14, Errors: 2, Exchanges: 16, ConnectErrors: 4}) || sum["shop.test"] != (counts{Requests: 12, Errors: 2}) {
		t.Errorf("%+v", sum)
	}
	for i := range maxServers + 10 {
		sum.add(&protocol.Outcomes{Answers: []protocol.Answers{{Server: fmt.Sprintf("h%d.test", i), Count: 1}}})
	}
	if len(sum) != maxServers || sum[everything].Requests != 14+maxServers+10 {
		t.Errorf("%d servers, %+v", len(sum), sum[everything])
	}
}
