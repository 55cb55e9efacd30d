package slardar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/admin/slardar"
	"github.com/sluice-gateway/sluice/gateway"
)

// revise makes the upstream "api" of a body, or fails.
func revise(t *testing.T, now *gateway.Upstream, body string) *gateway.Upstream {
	t.Helper()
	u, _, err := slardar.Revise(now, "upyun", "api", []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return u
}

const one = `"servers":[{"host":"10.0.0.4","port":8080}]`

// What nothing is said about is as in Slardar: a TCP probe every five seconds, out after one
// failure and back after one success, two tries, and no judging by requests.
func TestS18Heartbeat(t *testing.T) {
	u := revise(t, nil, "{"+one+"}")
	want := &gateway.Upstream{
		Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "upyun", Name: "api", Labels: map[string]string{slardar.LabelKey: "api"}},
		Spec: gateway.UpstreamSpec{
			Endpoints: []gateway.ManualEndpoint{{Address: "10.0.0.4:8080"}},
			Health: gateway.Health{
				Active:       &gateway.ActiveCheck{Type: "tcp", Interval: gateway.Duration(5 * time.Second), Timeout: gateway.Duration(5 * time.Second), Rise: 1, Fall: 1},
				Passive:      &gateway.PassiveCheck{Disabled: true},
				PanicPercent: new(int),
			},
			SlowStart: new(gateway.Duration),
			Retry:     gateway.Retry{Attempts: 2, Timeout: gateway.Duration(5 * time.Second), On: []string{"connect-failure", "reset", "timeout", "502"}},
		},
	}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Error(diff)
	}
}

func TestS10Bodies(t *testing.T) {
	for _, c := range []struct{ name, body, says string }{
		{"nothing", "", "no body"},
		{"no JSON", "{servers}", "decode body error"},
		{"two documents", "{" + one + "}{}", "decode body error"},
		{"a string", `"servers"`, "decode body error"},
		{"an empty object", "{}", "can not set empty upstream"},
		{"neither", `{"timeout":3}`, "servers invalid"},
		{"servers of another type", `{"servers":3}`, "servers invalid"},
		{"a cluster of another type", `{"cluster":3}`, "cluster invalid"},
		{"no level", `{"cluster":[]}`, "can not set empty upstream"},
		{"no level at all", `[]`, "can not set empty upstream"},
		{"an empty level", `{"cluster":[{}]}`, "can not update empty level: cluster[0]"},
		{"an empty named level", `{"cluster":{"dc1":{}}}`, `can not update empty level: cluster["dc1"]`},
		{"a level without servers", `{"cluster":[{` + one + `},{"servers":[]}]}`, "cluster[1].servers has to be a list of at least one server"},
		{"a server that is none", `{"servers":["10.0.0.4:80"]}`, "server must be a table: servers[0]"},
		{"no port", `{"servers":[{"host":"10.0.0.4"}]}`, "no server.host nor server.port found: servers[0]"},
		{"no host", `{"cluster":[{"servers":[{"port":80}]}]}`, "no server.host nor server.port found: cluster[0].servers[0]"},
		{"a port that is none", `{"servers":[{"host":"10.0.0.4","port":"http"}]}`, "servers[0]."},
		{"a weight that is none", `{"servers":[{"host":"10.0.0.4","port":80,"weight":"x"}]}`, "servers[0].weight"},
		{"a timeout that is none", `{` + one + `,"timeout":"5s"}`, "is not a number of seconds"},
		{"a timeout of nothing", `{` + one + `,"timeout":0}`, "timeout: 0"},
		{"no sensibility", `{` + one + `,"sensibility":0}`, "sensibility: 0 is below 1"},
		{"a switch that is none", `{` + one + `,"enable":"no"}`, "enable: a JSON string does not fit here"},
		{"no query", `{` + one + `,"typ":"http","http_opts":{"query":"hello"}}`, "http_opts.query"},
		{"no status", `{` + one + `,"typ":"http","http_opts":{"query":"GET / HTTP/1.0\r\n\r\n","statuses":{"5xx":false}}}`, `http_opts.statuses: "5xx"`},
	} {
		now := revise(t, nil, "{"+one+"}")
		if _, _, err := slardar.Revise(now, "upyun", "api", []byte(c.body)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
		if diff := cmp.Diff(revise(t, nil, "{"+one+"}"), now); diff != "" {
			t.Errorf("%s: the present upstream has changed: %s", c.name, diff)
		}
	}
	for _, c := range []struct{ name, body string }{
		{"servers", "{" + one + "}"},
		{"a cluster", `{"cluster":[{` + one + `}]}`},
		{"the levels alone", `[{` + one + `}]`},
		{"a port in quotes", `{"servers":[{"host":"10.0.0.4","port":"8080"}]}`},
	} {
		if diff := cmp.Diff(revise(t, nil, "{"+one+"}"), revise(t, nil, c.body)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// {"servers": ...} leaves every other setting alone, those that Slardar does not know too, and
// makes one level of several. {"cluster": ...} begins anew with what Slardar knows.
func TestS11ServersKeepSettings(t *testing.T) {
	set := revise(t, nil, `{"cluster":{"dc1":{`+one+`},"dc2":{"servers":[{"host":"10.0.0.5","port":8080}]}},
		"timeout":2.5,"read_timeout":7,"sensibility":4,"protected":false,"try":3,"typ":"http","http_opts":{"query":"GET /ping HTTP/1.1\r\nHost: a.test\r\n\r\n"}}`)
	set.Spec.ProxyProtocol, set.Spec.Health.Passive = "v2", &gateway.PassiveCheck{ConsecutiveGatewayErrors: 7}
	next := revise(t, set, `{"servers":[{"host":"10.0.0.6","port":8080,"weight":3}]}`)

	want := *set
	want.Labels = map[string]string{slardar.LabelKey: "api"}
	weight := 3
	want.Spec.Endpoints = []gateway.ManualEndpoint{{Address: "10.0.0.6:8080", Weight: &weight}}
	if diff := cmp.Diff(&want, next); diff != "" {
		t.Error(diff)
	}
	if a := next.Spec.Health.Active; a.Path != "/ping" || a.Host != "a.test" || a.Timeout.Std() != 2500*time.Millisecond || next.Spec.Timeouts.Connect.Std() != 2500*time.Millisecond {
		t.Errorf("read back: %+v, %+v", a, next.Spec.Timeouts)
	}
	more := revise(t, next, `{`+one+`,"timeout":9}`)
	if more.Spec.Health.Active.Timeout.Std() != 9*time.Second || more.Spec.Retry.Attempts != 3 {
		t.Errorf("what is named is set, and nothing else: %+v", more.Spec)
	}

	whole := revise(t, set, `{"cluster":[{`+one+`}]}`)
	fresh := revise(t, nil, "{"+one+"}")
	fresh.Spec.ProxyProtocol = "v2"
	if diff := cmp.Diff(fresh.Spec, whole.Spec); diff != "" {
		t.Error(diff)
	}
}

func TestS12EmptyList(t *testing.T) {
	for _, body := range []string{`[]`, `{"servers":[]}`, `{"servers":{}}`, `{"servers":null}`, `{"cluster":{}}`} {
		if _, _, err := slardar.Revise(nil, "upyun", "api", []byte(body)); err == nil || !strings.Contains(err.Error(), "can not set empty upstream") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestS17Enable(t *testing.T) {
	u := revise(t, nil, `{`+one+`,"enable":false}`)
	if u.Spec.Health.Active != nil {
		t.Errorf("probed by %+v", u.Spec.Health.Active)
	}
	if u = revise(t, u, "{"+one+"}"); u.Spec.Health.Active != nil {
		t.Error("a list of servers switches probes on")
	}
	if u = revise(t, u, `{`+one+`,"enable":true,"sensibility":2}`); u.Spec.Health.Active == nil || u.Spec.Health.Active.Fall != 2 {
		t.Errorf("probes do not come back: %+v", u.Spec.Health.Active)
	}
}

func TestS19ProbeTypes(t *testing.T) {
	const query = `"query":"GET /ping?a=b HTTP/1.1\r\nHost: a.test\r\nX-Auth: 1\r\n\r\n"`
	auth := map[string]string{"X-Auth": "1"}
	for _, c := range []struct {
		body string
		want gateway.ActiveCheck // without interval, timeout, rise and fall
		note string
	}{
		{`"typ":"general"`, gateway.ActiveCheck{Type: "tcp"}, ""},
		{`"typ":"http"`, gateway.ActiveCheck{Type: "tcp"}, ""}, // Slardar sends nothing without a query
		{`"typ":"redis"`, gateway.ActiveCheck{Type: "redis", Replication: true}, ""},
		{`"typ":"mysql"`, gateway.ActiveCheck{Type: "mysql"}, ""},
		{`"typ":"http","http_opts":{` + query + `}`, gateway.ActiveCheck{Type: "http", Path: "/ping?a=b", Host: "a.test", Headers: auth, Expect: []string{"100-599"}}, ""},
		{`"typ":"http","http_opts":{"statuses":{"502":false,"503":false,"599":false,"100":false,"200":true,"102":false},` + query + `}`,
			gateway.ActiveCheck{Type: "http", Path: "/ping?a=b", Host: "a.test", Headers: auth, ExpectNot: []string{"100", "102", "502", "503", "599"}}, ""},
		{`"typ":"http","http_opts":{"query":"HEAD / HTTP/1.0\r\n\r\n"}`, gateway.ActiveCheck{Type: "http", Path: "/", Expect: []string{"100-599"}}, "http_opts.query: probes ask by GET, not by HEAD"},
		{`"http_opts":{` + query + `}`, gateway.ActiveCheck{Type: "tcp"}, "http_opts: not used without typ http"},
	} {
		u, notes, err := slardar.Revise(nil, "upyun", "api", []byte("{"+one+","+c.body+"}"))
		if err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		got := *u.Spec.Health.Active
		got.Interval, got.Timeout, got.Rise, got.Fall = 0, 0, 0, 0
		if diff := cmp.Diff(c.want, got); diff != "" || strings.Join(notes, "; ") != c.note {
			t.Errorf("%s: notes %q %s", c.body, notes, diff)
		}
	}
}

func TestS20Sensibility(t *testing.T) {
	if a := revise(t, nil, `{`+one+`,"sensibility":2}`).Spec.Health.Active; a.Fall != 2 || a.Rise != 1 {
		t.Errorf("%+v", a)
	}
}

// max_fails and fail_timeout are each server's own; none is the default, and 0 switches off.
func TestS24MaxFails(t *testing.T) {
	second := gateway.Duration(time.Second)
	u := revise(t, nil, `{"servers":[{"host":"10.0.0.4","port":80,"max_fails":3,"fail_timeout":1},{"host":"10.0.0.5","port":80,"max_fails":2},
		{"host":"10.0.0.6","port":80,"max_fails":0},{"host":"10.0.0.7","port":80},{"host":"10.0.0.8","port":80,"fail_timeout":0}]}`)
	want := []*gateway.FailLimit{{Max: 3, Timeout: second}, {Max: 2}, {Max: 0}, nil, {Max: 0, Timeout: second}}
	for i, e := range u.Spec.Endpoints {
		if diff := cmp.Diff(want[i], e.Fails); diff != "" {
			t.Errorf("%s: %s", e.Address, diff)
		}
	}
	if diff := cmp.Diff(&gateway.FailCheck{Statuses: []string{"502"}}, u.Spec.Health.Fails); diff != "" {
		t.Error(diff)
	}
	if u := revise(t, nil, `{"servers":[{"host":"10.0.0.4","port":80,"max_fails":0}]}`); u.Spec.Health.Fails != nil {
		t.Errorf("something counts: %+v", u.Spec.Health.Fails)
	}
	byHand := revise(t, nil, "{"+one+"}")
	byHand.Spec.Health.Passive, byHand.Spec.Health.Fails = nil, &gateway.FailCheck{Max: 9, Statuses: []string{"500-599"}}
	if diff := cmp.Diff(byHand.Spec.Health, revise(t, byHand, "{"+one+"}").Spec.Health); diff != "" {
		t.Errorf("what was set by hand has changed: %s", diff)
	}
}

// S26: 502 and what http_opts.statuses declares are failures of requests, too, with probes or
// without them.
func TestS26WhichFailures(t *testing.T) {
	const limited = `"servers":[{"host":"10.0.0.4","port":80,"max_fails":1}]`
	const opts = `"typ":"http","http_opts":{"query":"GET / HTTP/1.0\r\n\r\n","statuses":{"500":false,"404":false,"200":true}}`
	for _, c := range []struct {
		name, first, body string
		want              []string
	}{
		{"nothing declared", "", `{` + limited + `}`, []string{"502"}},
		{"declared", "", `{` + limited + `,` + opts + `}`, []string{"404", "500", "502"}},
		{"declared without probes", "", `{` + limited + `,"enable":false,` + opts + `}`, []string{"404", "500", "502"}},
		{"declared earlier", `{` + one + `,` + opts + `}`, `{` + limited + `}`, []string{"404", "500", "502"}},
		{"kept", `{` + limited + `,` + opts + `}`, `{` + one + `}`, []string{"404", "500", "502"}},
	} {
		var now *gateway.Upstream
		if c.first != "" {
			now = revise(t, nil, c.first)
		}
		if diff := cmp.Diff(&gateway.FailCheck{Statuses: c.want}, revise(t, now, c.body).Spec.Health.Fails); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestS28Levels(t *testing.T) {
	two := []gateway.ManualEndpoint{{Address: "10.0.0.4:8080"}, {Address: "[2001:db8::5]:8080", Priority: 1}}
	u := revise(t, nil, `{"cluster":[{`+one+`},{"servers":[{"host":"2001:db8::5","port":8080}]}]}`)
	if diff := cmp.Diff(two, u.Spec.Endpoints); diff != "" {
		t.Error(diff)
	}
	// Names keep the order of the text, whatever their own order is.
	u = revise(t, nil, `{"cluster":{"dc2":{`+one+`},"dc1":{"servers":[{"host":"2001:db8::5","port":8080}]}}}`)
	two[0].Zone, two[1].Zone = "dc2", "dc1"
	if diff := cmp.Diff(two, u.Spec.Endpoints); diff != "" {
		t.Error(diff)
	}
	_, notes, err := slardar.Revise(nil, "upyun", "api", []byte(`{"cluster":[{`+one+`,"try":2},{"servers":[{"host":"10.0.0.4","port":8080,"down":1}]}],"hash_key":"x"}`))
	want := []string{"cluster[0].try: not used", "cluster[1].servers[0].down: not used", "hash_key: not used", "10.0.0.4:8080: named twice, the first counts"}
	if diff := cmp.Diff(want, notes); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// Two tries within 5s unless told otherwise; a body that bounds the time alone means all servers.
func TestS29Try(t *testing.T) {
	const three = `"servers":[{"host":"10.0.0.4","port":80},{"host":"10.0.0.5","port":80},{"host":"10.0.0.6","port":80}]`
	for _, c := range []struct {
		body  string
		tries int
		time  gateway.Duration
	}{
		{``, 2, gateway.Duration(5 * time.Second)},
		{`,"try":1`, 1, gateway.Duration(5 * time.Second)},
		{`,"try_timeout":1.5`, 3, gateway.Duration(1500 * time.Millisecond)},
		{`,"try_timeout":0`, 3, 0},
		{`,"try":2,"try_timeout":9`, 2, gateway.Duration(9 * time.Second)},
	} {
		if r := revise(t, nil, `{`+three+c.body+`}`).Spec.Retry; r.Attempts != c.tries || r.Timeout != c.time {
			t.Errorf("%s: %+v", c.body, r)
		}
	}
}

// Keys that can not be names of objects get one that says what they are, and two keys never
// share an object.
func TestNames(t *testing.T) {
	names := map[string]string{}
	for _, key := range []string{"api", "node-dev.example.com", "My_App", "my-app", "my_app", "-", "_", ".a.", strings.Repeat("a", 64), strings.Repeat("a", 65)} {
		u, _, err := slardar.Revise(nil, "upyun", key, []byte("{"+one+"}"))
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := names[u.Name]; taken || len(u.Name) > 63 || strings.Trim(u.Name, "-._") != u.Name || u.Labels[slardar.LabelKey] != key {
			t.Errorf("%q is %q, labels %v, as %q is", key, u.Name, u.Labels, other)
		}
		names[u.Name] = key
	}
	if names["api"] != "api" || names["node-dev.example.com"] != "node-dev.example.com" {
		t.Errorf("names that could stay: %v", names)
	}
	taken, _, _ := slardar.Revise(nil, "upyun", "My_App", []byte("{"+one+"}"))
	if _, _, err := slardar.Revise(taken, "upyun", taken.Name, []byte("{"+one+"}")); err == nil || !strings.Contains(err.Error(), `is upstream "My_App"`) {
		t.Errorf("the object of another key is taken: %v", err)
	}
}

// The modes are policies of ours; a whole body without one goes back to turns.
func TestS30Modes(t *testing.T) {
	for mode, want := range map[string]gateway.Balance{
		"hash":        {Policy: "hash", On: "uri"},
		"url_hash":    {Policy: "hash", On: "uri"},
		"ip_hash":     {Policy: "hash", On: "ip"},
		"header_hash": {Policy: "hash", On: "header", Name: "X-Hash-Key"},
		"round_robin": {Policy: "round_robin"},
		"":            {},
		"other":       {Policy: "other"}, // refused where it is written
	} {
		u := revise(t, nil, `{"mode":"`+mode+`",`+one+`}`)
		if u.Spec.Balance != want {
			t.Errorf("%s: %+v", mode, u.Spec.Balance)
		}
		if next := revise(t, u, "{"+one+"}"); next.Spec.Balance != want {
			t.Errorf("%s: servers alone made it %+v", mode, next.Spec.Balance)
		}
		if next := revise(t, u, `{"cluster":[{`+one+`}]}`); next.Spec.Balance != (gateway.Balance{}) {
			t.Errorf("%s: a whole body left %+v", mode, next.Spec.Balance)
		}
	}
}
