package health

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/sluice-gateway/sluice/gateway"
)

// listener keeps what Health reports.
type listener struct {
	mu   sync.Mutex
	list []gateway.Verdict
}

func (l *listener) report(vs []gateway.Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, vs...)
}

// take returns what was reported since the last call.
func (l *listener) take() []gateway.Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	vs := l.list
	l.list = nil
	return vs
}

// text is "e1 ejected, e2 healthy".
func text(vs []gateway.Verdict) string {
	var parts []string
	for _, v := range vs {
		parts = append(parts, v.Address+" "+string(v.State))
	}
	return strings.Join(parts, ", ")
}

// running is a Health with Run on, and the way to end it.
func running(t *testing.T, h *Health) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func effective(check gateway.EffectiveCheck, addresses ...string) *gateway.EffectiveUpstream {
	eu := &gateway.EffectiveUpstream{Key: keyAPI, Health: check}
	for _, a := range addresses {
		eu.Endpoints = append(eu.Endpoints, gateway.Endpoint{Address: a, Weight: 1})
	}
	return eu
}

func snapshot(us ...*gateway.EffectiveUpstream) *gateway.Snapshot {
	return &gateway.Snapshot{Upstreams: us}
}

func outcome(address string, status int) gateway.Outcome {
	return gateway.Outcome{EndpointKey: gateway.EndpointKey{Upstream: keyAPI, Address: address}, Status: status, At: time.Now()}
}

func observe(h *Health, address string, status, times int) {
	for range times {
		h.Observe(outcome(address, status))
	}
}

var passiveOnly = gateway.EffectiveCheck{Passive: &gateway.PassiveCheck{ConsecutiveGatewayErrors: 5}}

// The life of an endpoint through Observe, Run's timer and Report, in virtual time.
func TestHealthLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l listener
		var logs bytes.Buffer
		h := New(Config{Node: "edge-1", Report: l.report, Log: slog.New(slog.NewTextHandler(&logs, nil))})
		h.Apply(snapshot(effective(passiveOnly, "e1", "e2")))
		stop := running(t, h)
		expect := func(want string) []gateway.Verdict {
			t.Helper()
			synctest.Wait()
			got := l.take()
			if text(got) != want {
				t.Fatalf("reported %q, want %q", text(got), want)
			}
			return got
		}

		expect("")
		observe(h, "e1", 200, 3)
		observe(h, "e2", 200, 3)
		expect("e1 healthy, e2 healthy")
		observe(h, "e1", 503, 5)
		v := expect("e1 ejected")[0]
		if length := time.Until(v.Until); length < 27*time.Second || length > 33*time.Second {
			t.Errorf("ejected for %s, want 30s and ten percent of jitter", length)
		}
		if v.Evidence.Observer != "edge-1" || v.Upstream != keyAPI || v.Reason != "5 gateway errors in a row, last: 503" || !v.Since.Equal(time.Now()) {
			t.Errorf("verdict %+v", v)
		}
		time.Sleep(26 * time.Second)
		expect("")
		time.Sleep(8 * time.Second)
		expect("e1 probation")
		observe(h, "e1", 502, 1)
		expect("e1 ejected")
		time.Sleep(67 * time.Second)
		expect("e1 probation")
		observe(h, "e1", 200, 3)
		expect("e1 healthy")

		// The same snapshot again, and a new one with equal contents, change nothing.
		observe(h, "e1", 503, 4)
		h.Apply(snapshot(effective(passiveOnly, "e1", "e2")))
		observe(h, "e1", 503, 1)
		expect("e1 ejected")
		h.Apply(snapshot())
		vs := expect("e1 unknown, e2 unknown")
		if vs[0].Rule != RuleRemoved || len(h.Verdicts()) != 0 {
			t.Errorf("after removal: %+v, still known: %v", vs[0], h.Verdicts())
		}
		observe(h, "e1", 503, 1)
		stop()
		if n := h.unmatched.Load(); n != 1 {
			t.Errorf("%d outcomes unmatched, want 1", n)
		}
		first := `level=WARN msg="endpoint verdict" tenant=acme upstream=api endpoint=e1 node=edge-1 verdict=ejected rule=consecutive_gateway_errors reason="5 gateway errors in a row, last: 503" until=`
		if once, all := strings.Count(logs.String(), first), strings.Count(logs.String(), "\n"); once != 1 || all != 6 {
			t.Errorf("the first ejection is logged %d times among %d lines, want 1 of 6:\n%s", once, all, logs.String())
		}
	})
}

// An ejection ends in time although the endpoint is down meanwhile, which hides its end.
func TestHiddenEndOfEjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l listener
		var broken atomic.Bool
		h := New(Config{Report: l.report, Log: slog.New(slog.DiscardHandler)})
		h.prober.dial = func(_ context.Context, _, address string) (net.Conn, error) {
			if address == "e1" && broken.Load() {
				return nil, syscall.ECONNREFUSED
			}
			a, b := net.Pipe()
			closeQuietly(b)
			return a, nil
		}
		check := passiveOnly
		check.Active = &gateway.ActiveCheck{Type: "tcp", Interval: gateway.Duration(5 * time.Second), Fall: 3, Rise: 2}
		h.Apply(snapshot(effective(check, "e1", "e2", "e3", "e4", "e5", "e6", "e7")))
		stop := running(t, h)
		time.Sleep(time.Second)
		broken.Store(true)
		observe(h, "e1", 503, 5)
		time.Sleep(10 * time.Second)
		observe(h, "e2", 503, 5)
		synctest.Wait()
		l.take()
		// e1's end is hidden, e2's comes about ten seconds later and must not be lost.
		time.Sleep(35 * time.Second)
		if got := text(l.take()); !strings.HasPrefix(got, "e2 probation") {
			t.Errorf("reported %q, want the end of e2's ejection", got)
		}
		broken.Store(false)
		time.Sleep(12 * time.Second)
		var e1 gateway.Verdict
		for _, v := range h.Verdicts() {
			if v.Address == "e1" {
				e1 = v
			}
		}
		if e1.State != gateway.StateHealthy {
			t.Errorf("e1 answers again for 12 s: %+v", e1)
		}
		stop()
	})
}

// Probes in virtual time: a first one at once, quick ones while the endpoint is between up
// and down, and verdicts in the order down, healthy.
func TestActiveLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l listener
		var broken atomic.Bool
		h := New(Config{Report: l.report, Log: slog.New(slog.DiscardHandler)})
		h.prober.dial = func(context.Context, string, string) (net.Conn, error) {
			if broken.Load() {
				return nil, syscall.ECONNREFUSED
			}
			a, b := net.Pipe()
			closeQuietly(b)
			return a, nil
		}
		check := gateway.EffectiveCheck{Active: &gateway.ActiveCheck{Type: "tcp", Interval: gateway.Duration(5 * time.Second)}}
		h.Apply(snapshot(effective(check, "e1")))
		stop := running(t, h)
		synctest.Wait()
		if got := text(l.take()); got != "e1 healthy" {
			t.Errorf("after the first probe: %q", got)
		}
		broken.Store(true)
		// At most 5.5 s to the next probe and 1.1 s to each of the two after it.
		time.Sleep(7700 * time.Millisecond)
		if got := text(l.take()); got != "e1 down" {
			t.Errorf("after three failures: %q", got)
		}
		broken.Store(false)
		time.Sleep(6600 * time.Millisecond)
		if got := text(l.take()); got != "e1 healthy" {
			t.Errorf("after two successes: %q", got)
		}
		stop()
	})
}

// Outcomes, probes, snapshots and readers at once, on real sockets: what the race detector
// should see. At the end the broken endpoint is out, the others are in.
func TestConcurrentUse(t *testing.T) {
	good := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer good.Close()
	address := good.Listener.Addr().String()
	bad := serveRaw(t, untilClosed)

	var l listener
	h := New(Config{Node: "edge-1", Report: l.report, Log: slog.New(slog.DiscardHandler)})
	check := gateway.EffectiveCheck{
		Active:  &gateway.ActiveCheck{Interval: gateway.Duration(20 * time.Millisecond), Timeout: gateway.Duration(10 * time.Second)},
		Passive: &gateway.PassiveCheck{},
	}
	h.Apply(snapshot(effective(check, address, bad)))
	stop := running(t, h)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				h.Observe(outcome(address, 200))
				h.Observe(outcome(bad, 503))
			}
		})
	}
	wg.Go(func() {
		for i := range 200 {
			eu := effective(check, address, bad)
			eu.Endpoints[0].Weight = 1 + i%2
			h.Apply(snapshot(eu))
			h.Verdicts()
		}
	})
	wg.Wait()
	waitFor(t, func() bool {
		return text(h.Verdicts()) == address+" healthy, "+bad+" ejected" || text(h.Verdicts()) == bad+" ejected, "+address+" healthy"
	},
		func() string { return text(h.Verdicts()) })
	stop()
}

// A real endpoint fails, goes away and comes back; both checks see it.
func TestRealEndpoint(t *testing.T) {
	var status atomic.Int32
	status.Store(200)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, "hello")
	}))
	defer srv.Close()
	var l listener
	h := New(Config{Node: "edge-1", Report: l.report, Log: slog.New(slog.DiscardHandler)})
	check := gateway.EffectiveCheck{Active: &gateway.ActiveCheck{Interval: gateway.Duration(50 * time.Millisecond)}}
	h.Apply(snapshot(effective(check, srv.Listener.Addr().String())))
	stop := running(t, h)
	state := func() string { return string(h.Verdicts()[0].State) }
	waitFor(t, func() bool { return state() == "healthy" }, state)
	status.Store(502)
	waitFor(t, func() bool { return state() == "down" }, state)
	if v := h.Verdicts()[0]; v.Reason != "3 probes in a row failed, last: status 502, expected 200-399" {
		t.Errorf("reason %q", v.Reason)
	}
	status.Store(204)
	waitFor(t, func() bool { return state() == "healthy" }, state)
	stop()
	var reported []string
	for _, v := range l.take() {
		reported = append(reported, string(v.State))
	}
	if got := strings.Join(reported, " "); got != "healthy down healthy" {
		t.Errorf("reported %q", got)
	}
}

// waitFor polls until ok, for at most 20 s.
func waitFor(t *testing.T, ok func() bool, is func() string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not come about in 20 s: %s", is())
		}
	}
}

func TestMetrics(t *testing.T) {
	h := New(Config{Node: "edge-1", Log: slog.New(slog.DiscardHandler)})
	h.Apply(snapshot(effective(passiveOnly, "e1", "e2")))
	observe(h, "e1", 504, 5)
	observe(h, "e9", 200, 2)
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(h); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&got, f); err != nil {
			t.Fatal(err)
		}
	}
	want := `# HELP sluice_ejections_total Ejections of endpoints, by the rule that decided; those that shadow mode did not act upon end in _shadow.
# TYPE sluice_ejections_total counter
sluice_ejections_total{reason="consecutive_gateway_errors",upstream="acme/api"} 1
# HELP sluice_endpoint_verdict 1 for the verdict that an endpoint has, 0 for the others.
# TYPE sluice_endpoint_verdict gauge
sluice_endpoint_verdict{endpoint="e1",upstream="acme/api",verdict="down"} 0
sluice_endpoint_verdict{endpoint="e1",upstream="acme/api",verdict="ejected"} 1
sluice_endpoint_verdict{endpoint="e1",upstream="acme/api",verdict="healthy"} 0
sluice_endpoint_verdict{endpoint="e1",upstream="acme/api",verdict="probation"} 0
sluice_endpoint_verdict{endpoint="e1",upstream="acme/api",verdict="unknown"} 0
sluice_endpoint_verdict{endpoint="e2",upstream="acme/api",verdict="down"} 0
sluice_endpoint_verdict{endpoint="e2",upstream="acme/api",verdict="ejected"} 0
sluice_endpoint_verdict{endpoint="e2",upstream="acme/api",verdict="healthy"} 0
sluice_endpoint_verdict{endpoint="e2",upstream="acme/api",verdict="probation"} 0
sluice_endpoint_verdict{endpoint="e2",upstream="acme/api",verdict="unknown"} 1
# HELP sluice_health_events_missed_total Events that subscribers, such as alerts, were too slow for.
# TYPE sluice_health_events_missed_total counter
sluice_health_events_missed_total 0
# HELP sluice_health_unmatched_outcomes_total Outcomes of requests to endpoints that no snapshot names any more.
# TYPE sluice_health_unmatched_outcomes_total counter
sluice_health_unmatched_outcomes_total 2
# HELP sluice_probes_under_way Active probes under way.
# TYPE sluice_probes_under_way gauge
sluice_probes_under_way 0
# HELP sluice_probes_waiting Active probes that are due and wait for room: above 0 for long, endpoints are probed less often than they should be.
# TYPE sluice_probes_waiting gauge
sluice_probes_waiting 0
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
