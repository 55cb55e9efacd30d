package slardar_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/admin/slardar"
	"github.com/sluice-gateway/sluice/gateway"
)

var update = flag.Bool("update", false, "rewrite the golden status page")

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.Local)

// site is an installation of the tenant upyun, decided by gateway.Build.
type site struct {
	t  *testing.T
	in gateway.Inputs
	o  slardar.Observed
}

func newSite(t *testing.T) *site {
	s := &site{t: t, o: slardar.Observed{Objects: map[string]*gateway.Upstream{}, Heartbeats: map[string][]gateway.Heartbeat{},
		Version: "1.2.3", StartedAt: noon.Add(-time.Hour), ConfigVersion: 7, Digest: "abc", Now: noon}}
	s.in.Tenants = []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "upyun"}}}
	return s
}

// add writes an upstream as a client does. Each state is that of the server in its place.
func (s *site) add(key, body string, states ...gateway.HealthState) {
	s.t.Helper()
	u, _, err := slardar.Revise(nil, "upyun", key, []byte(body))
	if err != nil {
		s.t.Fatal(err)
	}
	s.in.Upstreams = append(s.in.Upstreams, u)
	s.o.Objects[u.Name] = u
	set := gateway.EndpointSet{SetKey: gateway.SetKey{Upstream: u.Key(), Source: gateway.SourceManual}}
	for i, e := range u.Spec.Endpoints {
		weight := 1
		if e.Weight != nil {
			weight = *e.Weight
		}
		set.Endpoints = append(set.Endpoints, gateway.SourceEndpoint{Address: e.Address, Weight: weight, Priority: e.Priority, Zone: e.Zone, Fails: e.Fails.Filled()})
		if i < len(states) && states[i] != "" {
			s.in.Verdicts = append(s.in.Verdicts, gateway.Verdict{EndpointKey: gateway.EndpointKey{Upstream: u.Key(), Address: e.Address},
				State: states[i], Since: noon.Add(-10 * time.Minute), Reason: "why it is " + string(states[i])})
		}
		beat := gateway.Heartbeat{Address: e.Address, At: noon.Add(-2 * time.Second)}
		switch {
		case u.Spec.Health.Active == nil || i < len(states) && states[i] == "":
			continue
		case i < len(states) && states[i] == gateway.StateDown:
			beat.Failures, beat.Error = 3, "connection refused"
		}
		s.o.Heartbeats[u.Name] = append(s.o.Heartbeats[u.Name], beat)
	}
	s.in.Sets = append(s.in.Sets, set)
}

// page is the status page as JSON.
func (s *site) page() string {
	s.t.Helper()
	s.o.Upstreams = gateway.Build(s.in, 1).Upstreams
	b, err := json.MarshalIndent(slardar.Status(s.o), "", "  ")
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b) + "\n"
}

// states are those of an upstream's servers on the page.
func (s *site) states(key string) string {
	s.t.Helper()
	var page map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s.page()), &page); err != nil {
		s.t.Fatal(err)
	}
	var levels [][]struct{ Status string }
	if err := json.Unmarshal(page["cls:"+key], &levels); err != nil {
		s.t.Fatalf("%s: %v", page["cls:"+key], err)
	}
	var out []string
	for _, l := range levels {
		for _, p := range l {
			out = append(out, p.Status)
		}
	}
	return strings.Join(out, " ")
}

const (
	healthy = gateway.StateHealthy
	down    = gateway.StateDown
	ejected = gateway.StateEjected
)

func list(n int, more string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`{"host":"10.0.0.%d","port":8080%s}`, i+1, more))
	}
	return `"servers":[` + strings.Join(all, ",") + `]`
}

// One upstream for each state and each form, as the page shows them.
func TestS16StatusPage(t *testing.T) {
	s := newSite(t)
	s.add("node-dev", "{"+list(2, `,"weight":5,"max_fails":6,"fail_timeout":30`)+"}", healthy, down)
	s.add("new", "{"+list(1, "")+"}", "")
	s.add("ejected", "{"+list(2, `,"max_fails":2`)+"}", ejected, healthy)
	s.add("unstable", "{"+list(1, "")+"}", down)
	s.add("unchecked", `{`+list(2, `,"max_fails":2`)+`,"enable":false}`, ejected, healthy)
	s.add("My_Levels", `{"cluster":{"dc2":{`+list(1, "")+`},"dc1":{"servers":[{"host":"2001:db8::5","port":80}]}}}`, healthy, down)
	s.add("levels", `{"cluster":[{`+list(1, "")+`},{"servers":[{"host":"10.0.1.1","port":80}]}]}`, down, healthy)
	got := s.page()
	const golden = "testdata/status.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A checker that has not finished a probe for a minute is dead; one that has nothing to do, or
// has only just got something, is not.
func TestS16TimerAlive(t *testing.T) {
	alive := func(s *site) bool { return strings.Contains(s.page(), `"checkup_timer_alive": true`) }
	s := newSite(t)
	if !alive(s) || !strings.Contains(s.page(), `"last_check_time": null`) {
		t.Errorf("without upstreams: %s", s.page())
	}
	s.add("api", "{"+list(1, "")+"}", "")
	if alive(s) {
		t.Error("an upstream waits for its first probe for ages, and nobody notices")
	}
	s.o.Objects["api"].UpdatedAt = noon.Add(-50 * time.Second)
	if !alive(s) {
		t.Error("dead before the first probe")
	}
	s = newSite(t)
	s.add("api", "{"+list(1, "")+"}", healthy)
	s.o.Now = noon.Add(55 * time.Second)
	if !alive(s) || !strings.Contains(s.page(), `"last_check_time": "2026-11-21 11:59:58"`) {
		t.Errorf("after 57s: %s", s.page())
	}
	s.o.Now = noon.Add(65 * time.Second)
	if alive(s) {
		t.Error("alive after 67s")
	}
	s.o.StartedAt = s.o.Now
	if !alive(s) {
		t.Error("dead at the start")
	}
}

// Servers stand in the order in which they were given.
func TestS16Order(t *testing.T) {
	s := newSite(t)
	s.add("api", `{"servers":[{"host":"10.0.0.9","port":80},{"host":"10.0.0.1","port":9000},{"host":"10.0.0.1","port":10000}]}`)
	page := s.page()
	if a, b, c := strings.Index(page, "10.0.0.9:80"), strings.Index(page, "10.0.0.1:9000"), strings.Index(page, "10.0.0.1:10000"); a < 0 || a > b || b > c {
		t.Error(page)
	}
}

func TestS17NoHistory(t *testing.T) {
	s := newSite(t)
	s.add("api", "{"+list(3, "")+"}", "", "", down)
	if got := s.states("api"); got != "ok ok err" {
		t.Error(got)
	}
}

// All failing: protected upstreams go on with what they have, others stop.
func TestS22Protected(t *testing.T) {
	s := newSite(t)
	s.add("protected", "{"+list(2, "")+"}", down, down)
	s.add("unprotected", `{`+list(2, "")+`,"protected":false}`, down, down)
	s.add("back", `{`+list(2, "")+`,"protected":true}`, down, healthy)
	for key, want := range map[string]string{"protected": "unstable unstable", "unprotected": "err err", "back": "err ok"} {
		if got := s.states(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	for _, u := range s.o.Upstreams {
		for _, e := range u.Endpoints {
			if want := u.Key.Name == "protected" || e.Verdict.State == healthy; e.InRotation != want {
				t.Errorf("%s %s: in rotation %v", u.Key.Name, e.Address, e.InRotation)
			}
		}
	}
}

// What was unstable becomes err as soon as any server of any level is well.
func TestS23UnstableIsDemoted(t *testing.T) {
	for _, c := range []struct {
		states []gateway.HealthState
		want   string
	}{
		{[]gateway.HealthState{down, down, down}, "unstable unstable unstable"},
		{[]gateway.HealthState{down, down, healthy}, "err err ok"},
	} {
		s := newSite(t)
		s.add("redis", `{"cluster":[{`+list(2, "")+`},{"servers":[{"host":"10.0.1.1","port":6379}]}]}`, c.states...)
		if got := s.states("redis"); got != c.want {
			t.Errorf("%v: %s, want %s", c.states, got, c.want)
		}
	}
}
