package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ping is a probe by HTTP that only the statuses of the list fail.
func ping(blocked ...int) string {
	list := map[string]bool{}
	for _, s := range blocked {
		list[fmt.Sprint(s)] = false
	}
	b, _ := json.Marshal(list)
	return `"typ":"http","http_opts":{"query":"GET /ping HTTP/1.1\r\nHost: ping.test\r\n\r\n","statuses":` + string(b) + `}`
}

// TestS17Probes: with enable false nobody probes, S18: and else every five seconds, once for
// the whole process.
func TestS17Probes(t *testing.T) {
	on, off := newOrigin(t, "on"), newOrigin(t, "off")
	s := newSlardar(t)
	s.post("on", `{`+servers(on.address)+`,`+ping()+`}`)
	s.post("off", `{`+servers(off.address)+`,"enable":false,`+ping()+`}`)
	s.serves("on", 200, "on")
	s.serves("off", 200, "off")
	begin := time.Now()
	time.Sleep(21 * time.Second)
	most := int64(time.Since(begin)/(4500*time.Millisecond)) + 2
	if n := on.probed.Load(); n < 2 || n > most {
		t.Errorf("%d probes in %v, want 4 or 5", n, time.Since(begin))
	}
	if n := off.probed.Load(); n != 0 || s.servers("off") != "unchecked" {
		t.Errorf("%d probes, %s", n, s.servers("off"))
	}
}

// TestS19BlockList: only statuses that are set to false fail a probe.
func TestS19BlockList(t *testing.T) {
	a, b := newOrigin(t, "a"), newOrigin(t, "b")
	a.health.Store(404)
	b.health.Store(502)
	s := newSlardar(t)
	s.post("api", `{`+servers(a.address, b.address)+`,`+ping(502)+`}`)
	s.becomes("api", "ok err")
	b.health.Store(500)
	s.becomes("api", "ok ok")
}

// TestS22Protected: all servers fail their probes. A protected upstream goes on with them, an
// unprotected one has no server available.
func TestS22Protected(t *testing.T) {
	a, b := newOrigin(t, "a"), newOrigin(t, "b")
	a.health.Store(502)
	b.health.Store(502)
	s := newSlardar(t)
	s.post("protected", `{`+servers(a.address, b.address)+`,`+ping(502)+`}`)
	s.post("unprotected", `{`+servers(a.address, b.address)+`,"protected":false,`+ping(502)+`}`)
	s.becomes("protected", "unstable unstable")
	s.becomes("unprotected", "err err")
	s.serves("protected", 200, "a", "b")
	s.serves("unprotected", 503, "")
	b.health.Store(200)
	s.becomes("protected", "err ok")
	s.becomes("unprotected", "err ok")
	s.serves("unprotected", 200, "b")
}

// inOrder are origins of these names, sorted by address as endpoints are, so that turns go from
// the first to the last.
func inOrder(t *testing.T, names ...string) []*origin {
	t.Helper()
	var all []*origin
	for range names {
		all = append(all, newOrigin(t, ""))
	}
	slices.SortFunc(all, func(a, b *origin) int { return strings.Compare(a.address, b.address) })
	for i, o := range all {
		o.name.Store(&names[i])
	}
	return all
}

// limited is a server with max_fails and fail_timeout.
func limited(address string, most, seconds int) string {
	return server(address, fmt.Sprintf(`"max_fails":%d`, most), fmt.Sprintf(`"fail_timeout":%d`, seconds))
}

// order asks n times, one after the other, and tells who answered. After each request it waits
// for what that brings about.
func (s slardar) order(name string, n int, after func(asked int)) string {
	s.t.Helper()
	var out []string
	for i := range n {
		who, _ := s.answeredBy(name)
		out = append(out, who)
		after(i + 1)
	}
	return strings.Join(out, " ")
}

// states are those of the servers of an upstream that is not probed, whether requests have
// taken them out or not.
func (s slardar) states(name string) string {
	s.t.Helper()
	var levels [][]struct {
		Msg *string `json:"msg"`
	}
	page, listed := s.status()["cls:"+name]
	if !listed {
		return notListed
	}
	if err := json.Unmarshal(page, &levels); err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, l := range levels {
		for _, p := range l {
			out = append(out, map[bool]string{true: "in", false: "out"}[p.Msg == nil])
		}
	}
	return strings.Join(out, " ")
}

// notListed stands for the states of an upstream that was written a moment ago.
const notListed = "not on the status page yet"

// are waits for such states, and then until the proxy has them, too.
func (s slardar) are(name, want string) {
	s.t.Helper()
	until(s.t, 30*time.Second, name+" "+want, func() error {
		if got := s.states(name); got != want {
			return errors.New(got)
		}
		return nil
	})
	time.Sleep(200 * time.Millisecond)
}

// TestS24MaxFails replays TEST 1 of lua-resty-checkups' max_fails.t: of the first level one has
// max_fails 2, the other none, and there is a second level. The first goes out for fail_timeout
// at its second 502, comes back by itself, and goes out again after two more.
func TestS24MaxFails(t *testing.T) {
	all := inOrder(t, "54", "55", "56")
	a, b, c := all[0], all[1], all[2]
	s := newSlardar(t)
	s.post("s1", `{"enable":false,"try":1,"typ":"http","http_opts":{"statuses":{"502":false}},"cluster":[{"servers":[`+
		limited(a.address, 2, 6)+","+limited(b.address, 0, 6)+`]},{"servers":[`+server(c.address)+`]}]}`)
	s.serves("s1", 200, "55") // the first turn is the next one
	if who, _ := s.answeredBy("s1"); who != "54" {
		t.Fatalf("the first is %q", who)
	}
	a.status.Store(502)
	b.status.Store(502)
	const want = "55 54 55 54 55 55 55 55 55 55"
	for round := range 2 {
		got := s.order("s1", 10, func(asked int) {
			if asked == 4 { // the second 502 of 54
				s.are("s1", "out in in")
			}
		})
		if got != want {
			t.Errorf("round %d: %s, want %s", round+1, got, want)
		}
		s.are("s1", "in in in")
	}
	if c.asked.Load() != 0 {
		t.Error("the second level had requests")
	}
}

// TestS26WhichFailures: 502 and declared statuses take a server out, other 5xx do not, and
// without max_fails nothing does.
func TestS26WhichFailures(t *testing.T) {
	bad, good := newOrigin(t, "bad"), newOrigin(t, "good")
	s := newSlardar(t)
	pair := `"enable":false,"try":1,"servers":[` + limited(bad.address, 2, 300) + "," + limited(good.address, 2, 300) + "]"
	s.post("plain", "{"+pair+"}")
	s.post("declared", `{"typ":"http","http_opts":{"statuses":{"500":false}},`+pair+"}")
	s.post("off", `{"enable":false,"try":1,`+servers(bad.address, good.address)+"}")
	for _, name := range []string{"plain", "declared", "off"} {
		s.serves(name, 200, "good")
	}
	half := func(name string) {
		t.Helper()
		before := bad.asked.Load()
		for range 40 {
			s.answeredBy(name)
		}
		if n := bad.asked.Load() - before; n != 20 {
			t.Errorf("%s: the failing server had %d of 40 requests", name, n)
		}
	}
	bad.status.Store(500)
	half("plain")
	half("off")
	for range 4 {
		s.answeredBy("declared")
	}
	s.are("declared", "out in")
	bad.status.Store(502)
	half("off")
	for range 4 {
		s.answeredBy("plain")
	}
	s.are("plain", "out in")
}

// TestS25LastServer replays TEST 2 and TEST 3 of max_fails.t: requests never take out the last
// server that is in, across all levels.
func TestS25LastServer(t *testing.T) {
	all := inOrder(t, "54", "55", "56")
	a, b, c := all[0], all[1], all[2]
	for _, o := range all {
		o.status.Store(502)
	}
	s := newSlardar(t)
	limits := limited(a.address, 1, 6) + "," + limited(b.address, 1, 6)
	s.post("s2", `{"enable":false,"try":1,"servers":[`+limits+`]}`)
	s.post("s3", `{"enable":false,"try":1,"cluster":[{"servers":[`+limits+`]},{"servers":[`+limited(c.address, 1, 6)+`]}]}`)
	for _, step := range []struct {
		name, want string
		after      []string // the states after each request
	}{
		{"s2", "54 55 55 55 55", []string{"out in", "out in", "out in", "out in", "out in"}},
		{"s2", "55 54 55 55 55", []string{"in in", "out in", "out in", "out in", "out in"}},
		{"s3", "54 55 56 56 56", []string{"out in in", "out out in", "out out in", "out out in", "out out in"}},
		{"s3", "55 54 56 56 56", []string{"in out in", "out out in", "out out in", "out out in", "out out in"}},
	} {
		var first string
		until(t, 20*time.Second, step.name, func() error { // it has come to the proxy, and everybody is back
			if got := s.states(step.name); got == notListed || strings.Contains(got, "out") {
				return errors.New(got)
			}
			name, status := s.answeredBy(step.name)
			if status != 502 || name == "" {
				return fmt.Errorf("%d", status)
			}
			first = name
			return nil
		})
		s.are(step.name, step.after[0])
		rest := s.order(step.name, 4, func(asked int) { s.are(step.name, step.after[asked]) })
		if got := first + " " + rest; got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
}

// TestS28Levels: a lower level has traffic when the one above has none left, and in the order
// in which named ones are written.
func TestS28Levels(t *testing.T) {
	a, b := newOrigin(t, "a"), newOrigin(t, "b")
	s := newSlardar(t)
	s.post("api", `{"cluster":{"dc2":{`+servers(a.address)+`},"dc1":{`+servers(b.address)+`}},`+ping(502)+`}`)
	s.serves("api", 200, "a")
	s.serves("api", 200, "a")
	if b.asked.Load() != 0 {
		t.Error("the lower level has traffic")
	}
	a.health.Store(502)
	s.serves("api", 200, "b")
	if raw := string(s.status()["cls:api"]); !strings.HasPrefix(raw, `{"dc1":[{"server":"api:`+b.address+`","status":"ok"`) || !strings.Contains(raw, `"dc2":[{"server":"api:`+a.address+`","status":"err"`) {
		t.Errorf("page %s", raw)
	}
	a.health.Store(200)
	s.serves("api", 200, "a")
}

// TestS27Weights: the turns of weights 5:1:1.
func TestS27Weights(t *testing.T) {
	all := inOrder(t, "a", "b", "c")
	a, b, c := all[0], all[1], all[2]
	s := newSlardar(t)
	s.post("api", `{"enable":false,"servers":[`+server(a.address, `"weight":5`)+","+server(b.address)+","+server(c.address)+"]}")
	s.serves("api", 200, "a", "b", "c")
	var turns []string
	for range 21 {
		name, _ := s.answeredBy("api")
		turns = append(turns, name)
	}
	if got, want := strings.Join(turns, ""), strings.Repeat("aabacaa", 5); !strings.Contains(want, got) {
		t.Errorf("turns %s", got)
	}
}

// TestS29Try: a request is tried twice unless told otherwise, on another server each time, on
// faults and 502, and no more once try_timeout is over.
func TestS29Try(t *testing.T) {
	bad, good := newOrigin(t, "bad"), newOrigin(t, "good")
	bad.status.Store(502)
	s := newSlardar(t)
	s.post("two", "{"+servers(bad.address, good.address)+"}")
	s.serves("two", 200, "good")
	for range 3 { // within what a retry budget gives at once
		if name, status := s.answeredBy("two"); status != 200 || name != "good" {
			t.Errorf("%d by %q", status, name)
		}
	}
	s.post("once", `{"try":1,`+servers(bad.address, good.address)+"}")
	s.serves("once", 502, "bad")

	four := inOrder(t, "slow", "slow", "slow", "slow")
	var list []string
	for _, o := range four {
		o.status.Store(502)
		list = append(list, server(o.address))
	}
	all := strings.Join(list, ",")
	asked := func() (n int64) {
		for _, o := range four {
			n += o.asked.Load()
		}
		return n
	}
	s.post("all", `{"enable":false,"try_timeout":60,"servers":[`+all+`]}`)
	s.post("brief", `{"enable":false,"try_timeout":0.000001,"servers":[`+all+`]}`)
	for name, want := range map[string]int64{"all": 4, "brief": 1} {
		s.serves(name, 502, "slow")
		before := asked()
		s.answeredBy(name)
		if n := asked() - before; n != want {
			t.Errorf("%s: %d tries, want %d", name, n, want)
		}
	}
}

// homeOf asks for a path, with a key if there is one, and tells who answered.
func (s slardar) homeOf(host, path, key string) string {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+s.http+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Host = host
	if key != "" {
		req.Header.Set("X-Hash-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.Header.Get("X-Backend")
}

// TestS30Modes: a header's value, and else the path, keeps its server, also when another one goes.
func TestS30Modes(t *testing.T) {
	var addresses []string
	for _, o := range inOrder(t, "0", "1", "2", "3") {
		addresses = append(addresses, o.address)
	}
	s := newSlardar(t)
	s.post("h", `{"mode":"header_hash",`+servers(addresses...)+"}")
	s.serves("h", 200, "0", "1", "2", "3")
	homes := func() (out []string) {
		for i := range 60 {
			field, path := "", fmt.Sprintf("/%d", i)
			if i >= 30 {
				field, path = fmt.Sprintf("key-%d", i), "/"
			}
			out = append(out, s.homeOf("h", path, field))
		}
		return out
	}
	first := homes()
	if diff := cmp.Diff(first, homes()); diff != "" {
		t.Error(diff)
	}
	s.post("h", `{`+servers(addresses[:3]...)+"}")
	until(t, 20*time.Second, "three servers", func() error {
		if slices.Contains(homes(), "3") {
			return errors.New("four")
		}
		return nil
	})
	moved := 0
	for i, home := range homes() {
		if first[i] != "3" && home != first[i] {
			moved++
		}
	}
	if moved > 12 {
		t.Errorf("%d of 60 keys moved that were of others", moved)
	}
}

// TestS31Feedback: failures that others report take a server out, successes do not.
func TestS31Feedback(t *testing.T) {
	a, b := newOrigin(t, "a"), newOrigin(t, "b")
	s := newSlardar(t)
	with := []string{`"max_fails":2`, `"fail_timeout":300`}
	s.post("api", `{"servers":[`+server(a.address, with...)+","+server(b.address, with...)+"]}")
	s.becomes("api", "ok ok")
	tell := func(says string) {
		t.Helper()
		host, port, _ := net.SplitHostPort(a.address)
		if r := s.curl(http.MethodPost, "/feedback/api", fmt.Sprintf(`{"host":%q,"port":%s,"failed":%s}`, host, port, says)); r.Status != 200 {
			t.Fatalf("%+v", r)
		}
	}
	for range 3 {
		tell("false")
	}
	tell("true")
	if got := s.servers("api"); got != "ok ok" {
		t.Errorf("one failure: %s", got)
	}
	tell("false") // changes nothing: failures are counted, whether in a row or not
	tell("true")
	s.becomes("api", "err ok")
	for range 10 {
		if name, _ := s.answeredBy("api"); name != "b" {
			t.Errorf("answered by %q", name)
		}
	}
	if r := s.curl(http.MethodPost, "/feedback/other", `{"host":"127.0.0.1","port":1,"failed":true}`); r.Status != 404 {
		t.Errorf("%+v", r)
	}
}
