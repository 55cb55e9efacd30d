package health

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func event(upstream string, at time.Time) gateway.HealthEvent {
	return gateway.HealthEvent{At: at, Kind: gateway.EventEjected, Upstream: gateway.UpstreamKey{Tenant: "acme", Name: upstream}, Address: "e1"}
}

// One upstream that flaps pushes out its own history only, and all of them together are bounded.
func TestLedgerIsBounded(t *testing.T) {
	l := newLedger()
	l.add([]gateway.HealthEvent{event("quiet", start)})
	for i := range 3 * ledgerEach {
		l.add([]gateway.HealthEvent{event("flaps", start.Add(time.Duration(i)*time.Second))})
	}
	if n := len(l.history(start, gateway.HealthQuery{Tenant: "acme", Upstream: "flaps"})); n != ledgerEach {
		t.Errorf("%d events of one upstream, want %d", n, ledgerEach)
	}
	if n := len(l.history(start, gateway.HealthQuery{Upstream: "quiet"})); n != 1 {
		t.Errorf("%d events of the quiet upstream, want 1", n)
	}
	for i := range 2 * ledgerAll {
		l.add([]gateway.HealthEvent{event(fmt.Sprintf("u%d", i%400), start.Add(time.Hour+time.Duration(i)*time.Millisecond))})
	}
	all := l.history(start.Add(2*time.Hour), gateway.HealthQuery{})
	if len(all) > ledgerAll || len(all) < ledgerAll/2 || len(all) != l.kept {
		t.Errorf("%d events in all, %d counted, want at most %d", len(all), l.kept, ledgerAll)
	}
	if len(l.history(start.Add(2*time.Hour), gateway.HealthQuery{Upstream: "quiet"})) != 0 {
		t.Error("the oldest event of all has outlived younger ones")
	}
}

func TestLedgerForgetsAfterADay(t *testing.T) {
	l := newLedger()
	l.add([]gateway.HealthEvent{event("a", start), event("a", start.Add(time.Hour))})
	if n := len(l.history(start.Add(24*time.Hour+time.Minute), gateway.HealthQuery{})); n != 1 {
		t.Errorf("%d events after a day, want the younger one", n)
	}
	l.add([]gateway.HealthEvent{event("a", start.Add(48*time.Hour))})
	if l.kept != 1 {
		t.Errorf("%d events are kept, want that of today", l.kept)
	}
}

// Newest first; by upstream, endpoint and time.
func TestLedgerQueries(t *testing.T) {
	l := newLedger()
	for i := range 10 {
		e := event([]string{"a", "b"}[i%2], start.Add(time.Duration(i)*time.Minute))
		e.Address = fmt.Sprint("e", i%4)
		l.add([]gateway.HealthEvent{e})
	}
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	for _, c := range []struct {
		q    gateway.HealthQuery
		want string
	}{
		{gateway.HealthQuery{}, "[9 8 7 6 5 4 3 2 1 0]"},
		{gateway.HealthQuery{Limit: 2}, "[9 8]"},
		{gateway.HealthQuery{Tenant: "acme", Upstream: "a"}, "[8 6 4 2 0]"},
		{gateway.HealthQuery{Upstream: "b", Address: "e1"}, "[9 5 1]"},
		{gateway.HealthQuery{Since: at(3), Until: at(6)}, "[5 4 3]"},
		{gateway.HealthQuery{Tenant: "other"}, "[]"},
	} {
		minutes := []int{}
		for _, e := range l.history(at(10), c.q) {
			minutes = append(minutes, int(e.At.Sub(start).Minutes()))
		}
		if fmt.Sprint(minutes) != c.want {
			t.Errorf("%+v: minutes %v, want %s", c.q, minutes, c.want)
		}
	}
}

// A subscriber that is too slow loses the oldest events, is counted, and holds up nobody.
func TestSlowSubscriber(t *testing.T) {
	l := newLedger()
	events, cancel := l.subscribe(2)
	for i := range 5 {
		l.add([]gateway.HealthEvent{event("a", start.Add(time.Duration(i)*time.Second))})
	}
	if a, b := <-events, <-events; a.At.Sub(start) != 3*time.Second || b.At.Sub(start) != 4*time.Second || l.missed() != 3 {
		t.Errorf("got %s and %s, %d missed", a.At, b.At, l.missed())
	}
	cancel()
	l.add([]gateway.HealthEvent{event("a", start)})
	if len(events) != 0 {
		t.Error("an event after cancel")
	}
}

// What Health decides is on the stream and in the ledger, panic by Build included.
func TestHealthTells(t *testing.T) {
	h := New(Config{Node: "edge-1", Log: slog.New(slog.DiscardHandler)})
	events, cancel := h.Subscribe(10)
	defer cancel()
	u := effective(passiveOnly, "e1", "e2", "e3")
	h.Apply(snapshot(u))
	for range 5 {
		h.Observe(gateway.Outcome{EndpointKey: gateway.EndpointKey{Upstream: keyAPI, Address: "e1"}, Status: 503, At: time.Now(), Request: 7})
	}
	panics := *u
	panics.Panic = true
	h.Apply(snapshot(&panics))
	h.Apply(snapshot(u))
	for _, want := range []gateway.EventKind{gateway.EventEjected, gateway.EventPanic, gateway.EventCalm} {
		if e := <-events; e.Kind != want || e.Observer != "edge-1" || e.Upstream != keyAPI {
			t.Errorf("event %+v, want %s", e, want)
		}
	}
	history := h.History(gateway.HealthQuery{Upstream: keyAPI.Name})
	if len(history) != 3 {
		t.Fatalf("history %+v", history)
	}
	v := history[2].Verdict
	if v == nil || len(v.Evidence.Samples) != 5 || v.Evidence.Samples[4].Request != 7 || v.Evidence.Counts.InARow != 5 {
		t.Errorf("the ejection's evidence: %+v", v)
	}
	sum, ok := h.Upstream(keyAPI)
	if !ok || sum.MayEject != 1 || sum.Ejected != 1 || len(sum.Verdicts) != 3 || len(h.Upstreams()) != 1 {
		t.Errorf("sum %+v", sum)
	}
}

// A panic before probes have decided about new endpoints is told only when they have, and nobody
// answers.
func TestNoPanicBeforeProbes(t *testing.T) {
	check := passiveOnly
	check.Active = &gateway.ActiveCheck{Type: "tcp", Initial: "down", Fall: 2, Rise: 2, Interval: gateway.Duration(time.Hour)}
	h := New(Config{Node: "edge-1", Log: slog.New(slog.DiscardHandler)})
	events, cancel := h.Subscribe(10)
	defer cancel()
	u := effective(check, "e1", "e2")
	h.Apply(snapshot(u))
	panics := *u
	panics.Panic = true
	h.Apply(snapshot(&panics))
	of := (*h.live.Load())[keyAPI]
	for range 2 {
		for _, address := range []string{"e1", "e2"} {
			of.probe(t.Context(), time.Now(), address, Result{Err: "refused"}, &h.outbox)
		}
	}
	h.Apply(snapshot(u))
	for _, want := range []gateway.EventKind{gateway.EventDown, gateway.EventDown, gateway.EventDown, gateway.EventDown, gateway.EventServiceBad, gateway.EventPanic, gateway.EventCalm} {
		if e := <-events; e.Kind != want {
			t.Fatalf("event %+v, want %s", e, want)
		}
	}
}

// The snapshot that shows a panic may come when the first probes have ended it.
func TestNoPanicFromLateSnapshot(t *testing.T) {
	check := passiveOnly
	check.Active = &gateway.ActiveCheck{Type: "tcp", Initial: "down", Fall: 2, Rise: 2, Interval: gateway.Duration(time.Hour)}
	h := New(Config{Node: "edge-1", Log: slog.New(slog.DiscardHandler)})
	u := effective(check, "e1", "e2")
	h.Apply(snapshot(u))
	for _, address := range []string{"e1", "e2"} {
		(*h.live.Load())[keyAPI].probe(t.Context(), time.Now(), address, Result{}, &h.outbox)
	}
	panics := *u
	panics.Panic = true
	h.Apply(snapshot(&panics))
	h.Apply(snapshot(u))
	for _, e := range h.History(gateway.HealthQuery{}) {
		if e.Kind == gateway.EventPanic || e.Kind == gateway.EventCalm {
			t.Errorf("told %+v", e)
		}
	}
}

// A bad service is a problem of its upstream until it is good, or gone.
func TestServiceBadIsAProblem(t *testing.T) {
	h := New(Config{Node: "edge-1", Log: slog.New(slog.DiscardHandler)})
	for _, end := range []func(){
		func() { h.Apply(snapshot()) },
		func() {
			for range 20 {
				h.Observe(gateway.Outcome{EndpointKey: gateway.EndpointKey{Upstream: keyAPI, Address: "e1"}, Status: 200, At: time.Now()})
			}
		},
	} {
		h.Apply(snapshot(effective(passiveOnly, "e1")))
		for range 5 {
			h.Observe(gateway.Outcome{EndpointKey: gateway.EndpointKey{Upstream: keyAPI, Address: "e1"}, Status: 503, At: time.Now()})
		}
		ps := h.Problems()
		if len(ps) != 1 || ps[0].Code != "service_bad" || ps[0].Object.Name != keyAPI.Name || !strings.Contains(ps[0].Message, "5 gateway errors in a row, as edge-1 sees it") {
			t.Fatalf("problems %+v", ps)
		}
		end()
		if ps := h.Problems(); len(ps) != 0 {
			// The last of the good ones came quietly: the next look, at the latest in three seconds, sees them.
			u := (*h.live.Load())[keyAPI]
			u.advance(time.Now().Add(4*time.Second), &h.outbox)
			if ps = h.Problems(); len(ps) != 0 {
				t.Errorf("problems after the end: %+v", ps)
			}
		}
	}
}

// Successes that nobody looks at count all the same: an endpoint that loses five of a thousand
// requests now and then is not one that loses five of five.
func TestQuietSuccessesCount(t *testing.T) {
	h := New(Config{Node: "edge-1", Log: slog.New(slog.DiscardHandler)})
	h.Apply(snapshot(effective(passiveOnly, "e1", "e2")))
	tell := func(address string, status int) {
		h.Observe(gateway.Outcome{EndpointKey: gateway.EndpointKey{Upstream: keyAPI, Address: address}, Status: status, At: time.Now()})
	}
	tell("e1", 503)
	for range 100 {
		tell("e1", 200)
		tell("e2", 200)
	}
	u := (*h.live.Load())[keyAPI]
	u.mu.Lock()
	defer u.mu.Unlock()
	if n := u.tracker.find("e1").recent(false); n != (tally{101, 1}) {
		t.Errorf("e1 has %+v, want 101 requests and 1 error", n)
	}
	if n := u.tracker.find("e2").recent(true); n != (tally{100, 0}) {
		t.Errorf("e2 has %+v, want 100 requests", n)
	}
}

// Nobody pays for windows where nothing fails, and they go when nothing has failed for long.
func TestWindowsAreLazy(t *testing.T) {
	tr := NewTracker(keyAPI, "edge-1", func() float64 { return 0.5 })
	tr.Configure(start, passiveOnly, []gateway.Endpoint{{Address: "e1", Weight: 1}, {Address: "e2", Weight: 1}})
	e := tr.find("e1")
	if e.windows != nil || !tr.Next().IsZero() {
		t.Fatal("windows without an error")
	}
	o := gateway.Outcome{EndpointKey: gateway.EndpointKey{Address: "e1"}, At: start, Status: 503}
	tr.Request(start, o)
	if e.windows == nil || tr.find("e2").windows == nil {
		t.Fatal("no windows after an error")
	}
	steps := 0
	for next := tr.Next(); !next.IsZero(); next = tr.Next() {
		tr.Advance(next)
		if steps++; steps > 200 {
			t.Fatal("it never ends")
		}
	}
	if e.windows != nil {
		t.Error("windows after five minutes without an error")
	}
}

func TestLatencySteps(t *testing.T) {
	for d := time.Duration(0); d < time.Hour; d = d*5/4 + time.Microsecond {
		s := step(d)
		if d >= upTo(s) || s > 0 && d < upTo(s-1) {
			t.Errorf("%s is in step %d, which is from %s to %s", d, s, upTo(max(s-1, 0)), upTo(s))
		}
	}
	var l latencies
	for i := range 100 {
		l.observe(time.Duration(i) * time.Millisecond)
	}
	if p90, n := l.drain(); n != 100 || p90 < 90*time.Millisecond || p90 > 110*time.Millisecond {
		t.Errorf("90 %% of %d are up to %s", n, p90)
	}
	if p90, n := l.drain(); n != 0 || p90 != 0 {
		t.Errorf("%d and %s after the window", n, p90)
	}
}
