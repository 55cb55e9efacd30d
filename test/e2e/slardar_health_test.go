package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
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

// TestS24MaxFails: two failures take a server out for fail_timeout, after which it comes back
// by itself; S26: only 502 to 504 and faults count. max_fails 0 counts nothing.
func TestS24MaxFails(t *testing.T) {
	bad, good, off := newOrigin(t, "bad"), newOrigin(t, "good"), newOrigin(t, "off")
	s := newSlardar(t)
	s.post("api", `{"enable":false,"try":1,"servers":[`+server(bad.address, `"max_fails":2`, `"fail_timeout":1`)+","+server(good.address, `"max_fails":2`, `"fail_timeout":1`)+"]}")
	s.serves("api", 200, "bad")
	bad.status.Store(500)
	for range 16 { // fewer than make a share of errors tell anything
		s.answeredBy("api")
	}
	before := bad.asked.Load()
	for range 4 {
		s.answeredBy("api")
	}
	if bad.asked.Load() != before+2 {
		t.Errorf("a server that answers 500 had %d of 4 requests", bad.asked.Load()-before)
	}
	bad.status.Store(502)
	until(t, 20*time.Second, "out of rotation", func() error {
		before := bad.asked.Load()
		for range 4 {
			s.answeredBy("api")
		}
		if n := bad.asked.Load() - before; n > 0 {
			return fmt.Errorf("%d of 4 requests", n)
		}
		return nil
	})
	bad.status.Store(200)
	s.serves("api", 200, "bad")

	off.status.Store(502)
	s.post("off", `{"enable":false,"try":1,"servers":[`+server(off.address)+","+server(good.address)+"]}")
	s.serves("off", 502, "off")
	before = off.asked.Load()
	for range 20 {
		s.answeredBy("off")
	}
	if n := off.asked.Load() - before; n != 10 {
		t.Errorf("without max_fails the failing server had %d of 20 requests", n)
	}
}

// TestS25LastServer: requests never take out the last server that is in, across all levels.
func TestS25LastServer(t *testing.T) {
	a, b := newOrigin(t, "a"), newOrigin(t, "b")
	a.status.Store(502)
	b.status.Store(502)
	s := newSlardar(t)
	with := []string{`"max_fails":1`, `"fail_timeout":300`}
	s.post("api", `{"cluster":[{"servers":[`+server(a.address, with...)+`]},{"servers":[`+server(b.address, with...)+`]}],"enable":false,"try":1}`)
	s.serves("api", 502, "a", "b")
	for range 30 {
		if name, status := s.answeredBy("api"); status != 502 || name == "" {
			t.Fatalf("%d by %q: no server is left", status, name)
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

// TestS29Try: a request is tried twice unless told otherwise, on another server each time, on
// faults and 502.
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
		tell("true")
		tell("false")
	}
	if got := s.servers("api"); got != "ok ok" {
		t.Errorf("failures that are not in a row: %s", got)
	}
	tell("true")
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
