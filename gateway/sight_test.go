package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

var sightKey = gateway.EndpointKey{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "api"}, Address: "10.0.0.1:80"}

// notices reads "ejected healthy - bad": what observers e1, e2, e3 say about the endpoint, in
// order; "-" has not spoken, and "!" before a word says that its upstream is bad as a whole.
func notices(text string) []gateway.Notice {
	var out []gateway.Notice
	for i, word := range strings.Fields(text) {
		n := gateway.Notice{Observer: fmt.Sprintf("e%d", i+1)}
		word, bad := strings.CutPrefix(word, "!")
		if bad {
			n.Services = []gateway.ServiceSight{{Upstream: sightKey.Upstream, ServiceVerdict: gateway.ServiceVerdict{Bad: true}}}
		}
		if bad = word == "-"; !bad {
			n.Sights = []gateway.Sight{{EndpointKey: sightKey, State: gateway.HealthState(word), Since: time.Unix(int64(100+i), 0), Until: time.Unix(int64(200+i), 0), Rule: "r", Reason: "no answer"}}
		}
		out = append(out, n)
	}
	return out
}

// Who finds an endpoint bad, and what that makes of it (S47).
func TestAgree(t *testing.T) {
	for _, c := range []struct{ say, want string }{
		{"-", ""},
		{"healthy healthy", ""},
		{"ejected", "node_bad 1 bad 0 well 0 unknown: ejected"},
		{"down", "node_bad 1 bad 0 well 0 unknown: down"},
		{"ejected healthy healthy", "path_bad 1 bad 2 well 0 unknown: healthy"},
		{"ejected healthy", "path_bad 1 bad 1 well 0 unknown: healthy"},
		{"ejected ejected healthy", "node_bad 2 bad 1 well 0 unknown: ejected"},
		{"healthy down ejected", "node_bad 2 bad 1 well 0 unknown: down"},
		{"ejected - -", "path_bad 1 bad 2 well 0 unknown: healthy"},
		{"ejected unknown unknown", "node_bad 1 bad 0 well 2 unknown: ejected"},
		{"ejected unknown healthy", "path_bad 1 bad 1 well 1 unknown: healthy"},
		{"ejected probation healthy", "path_bad 1 bad 2 well 0 unknown: healthy"},
		{"!down !down !healthy", "service_bad 2 bad 1 well 0 unknown: down"},
		{"!down down healthy", "node_bad 2 bad 1 well 0 unknown: down"},
		{"!down healthy healthy", "path_bad 1 bad 2 well 0 unknown: healthy"},
	} {
		a := gateway.Agree(notices(c.say))
		got := ""
		if s := a.Endpoint(sightKey); s != nil {
			got = fmt.Sprintf("%s %d bad %d well %d unknown: %s", s.Scope, s.Bad, s.Well, s.Unknown, s.Verdict().State)
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.say, got, c.want)
		}
	}
}

// The verdict names who says what, since the first and until the last of them.
func TestAgreedVerdict(t *testing.T) {
	a := gateway.Agree(notices("healthy ejected down"))
	v := a.Of(sightKey.Upstream)[0].Verdict()
	if v.State != gateway.StateEjected || v.Since.Unix() != 101 || v.Until.Unix() != 202 || v.Reason != "2 of 3 observers (e2, e3) find it bad: no answer" {
		t.Errorf("%+v", v)
	}
	if len(a.Of(gateway.UpstreamKey{Tenant: "acme", Name: "apj"})) != 0 {
		t.Error("another upstream has standings")
	}
}

// The order in which notices come decides nothing.
func TestAgreeHasNoOrder(t *testing.T) {
	say := notices("!down !ejected healthy - unknown !healthy")
	want := gateway.Agree(say)
	for range 50 {
		say = notices("!down !ejected healthy - unknown !healthy")
		rand.Shuffle(len(say), func(i, j int) { say[i], say[j] = say[j], say[i] })
		if got := gateway.Agree(say); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v\nwant %+v", got, want)
		}
	}
}

// A service is bad when more than half of the living observers say so.
func TestAgreeOnServices(t *testing.T) {
	for say, want := range map[string]string{"!- - -": "1 of 3 false", "!- !- -": "2 of 3 true", "!- !-": "2 of 2 true", "- -": ""} {
		a, got := gateway.Agree(notices(say)), ""
		if s := a.Service(sightKey.Upstream); s != nil {
			got = fmt.Sprintf("%d of %d %v", len(s.Bad), s.Observers, s.Majority())
		}
		if got != want {
			t.Errorf("%q: %q, want %q", say, got, want)
		}
	}
}

// A snapshot with other verdicts is what Build makes of these, and shares what is alike.
func TestJudged(t *testing.T) {
	in := pinned(pin("a", "10.0.0.3:80", "drained"))
	other := upstream("acme", "web")
	in.Upstreams = append(in.Upstreams, other)
	s := gateway.Build(in, 1)
	same := s.Judged(func(_ gateway.UpstreamKey, e *gateway.Endpoint) gateway.Verdict { return e.Verdict })
	if same != s {
		t.Error("a snapshot on which nothing differs is not shared")
	}
	key := s.Upstreams[0].Key
	judged := s.Judged(func(k gateway.UpstreamKey, e *gateway.Endpoint) gateway.Verdict {
		if e.Address == "10.0.0.2:80" {
			return verdict(k, e.Address, gateway.StateHealthy)
		}
		return e.Verdict
	})
	in.Verdicts = []gateway.Verdict{verdict(key, "10.0.0.1:80", gateway.StateHealthy), verdict(key, "10.0.0.2:80", gateway.StateHealthy)}
	want := gateway.Build(in, 1)
	if got := rotation(judged.Upstreams[0]); got != rotation(want.Upstreams[0]) || got != "1 healthy, 2 healthy, 3 drained out" {
		t.Errorf("%s, want %s", got, rotation(want.Upstreams[0]))
	}
	if rotation(s.Upstreams[0]) != "1 healthy, 2 ejected out, 3 drained out" {
		t.Errorf("the original was changed: %s", rotation(s.Upstreams[0]))
	}
	if judged.Upstreams[1] != s.Upstreams[1] || judged.Digest != s.Digest {
		t.Error("what did not change is not shared")
	}
	none := s.Judged(func(k gateway.UpstreamKey, e *gateway.Endpoint) gateway.Verdict {
		return verdict(k, e.Address, gateway.StateEjected)
	})
	if got := rotation(none.Upstreams[0]); !none.Upstreams[0].Panic || got != "1 ejected, 2 ejected, 3 drained out" {
		t.Errorf("all ejected: %s, panic %v", got, none.Upstreams[0].Panic)
	}
}
