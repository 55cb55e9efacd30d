package faults

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// An endpoint whose probes are well answers 502 to everything: after a second at most it gets no
// new request, ten clients at most have seen an error without retries and none with them, and it
// returns by trial requests when it is well.
func TestTurnsBad(t *testing.T) {
	for _, c := range []struct {
		name, retry  string
		errors, goal int
	}{
		{"without_retry", retryNone, 50, 10}, // the bound is wider, since a busy machine decides later
		{"with_retry", retryAll, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			endpoints := startEndpoints(t, "one", "two", "three")
			bad := endpoints[0]
			s := startEdge(t, tenant+upstreamOf("api", c.retry, endpoints))
			l := startLoad(t, s.url(), 0)
			l.awaitAll(t, endpoints)

			begin := time.Now()
			bad.order("mode=502")
			v := s.awaitState("api", bad.address, 15*time.Second, "ejected")
			if v.InRotation || v.Verdict.Reason == "" || v.Verdict.Until.IsZero() {
				t.Errorf("verdict %+v", v)
			}
			out := time.Now()
			time.Sleep(2 * time.Second)
			late := between(bad.seen(), out.Add(time.Second), time.Now())
			bad.order("mode=ok")
			healed := time.Now()
			back := l.awaitReturn(t, bad.name, healed, 10*firstEjection)
			s.awaitState("api", bad.address, 30*time.Second, "healthy")
			l.end()

			errors := count(l.since(begin, healed), failed(http.MethodGet))
			seen := bad.seen()
			last := begin
			for _, r := range seen {
				if r.sent.Before(healed) && r.sent.After(last) {
					last = r.sent
				}
			}
			figure("turns_bad_errors_"+c.name, float64(errors), "count", fmt.Sprint(c.goal))
			figure("turns_bad_last_request_ms_"+c.name, ms(last.Sub(begin)), "ms", "1000")
			figure("turns_bad_return_ms_"+c.name, ms(back), "ms", fmt.Sprintf("%.0f", 1.1*ms(firstEjection)+1000))
			if errors > c.errors {
				t.Errorf("%d clients saw an error: %v", errors, failures(l.since(begin, healed)))
			}
			if c.retry == retryNone && errors == 0 {
				t.Error("the order had no effect: nobody saw an error")
			}
			if late > 0 {
				t.Errorf("%d requests were sent to it a second after its ejection and later", late)
			}
			// Trial requests decide in a moment; the next ejection is twice as long, so that a
			// return after it would be too late.
			if n := count(l.since(healed, time.Time{}), failed(http.MethodGet)); n > 0 {
				t.Errorf("%d clients saw an error after the healing: %v", n, failures(l.since(healed, time.Time{})))
			}
		})
	}
}

// All endpoints answer 502: nobody is ejected, since nobody would be better, and requests go on
// to all of them evenly. When they are well again, so is the service.
func TestAllBad(t *testing.T) {
	endpoints := startEndpoints(t, "one", "two", "three")
	s := startEdge(t, tenant+upstreamOf("api", retryNone, endpoints))
	l := startLoad(t, s.url(), 0)
	l.awaitAll(t, endpoints)

	for _, e := range endpoints {
		e.order("mode=502")
	}
	begin := time.Now()
	time.Sleep(4 * time.Second)
	end := time.Now()
	all, err := s.verdicts("api")
	if err != nil {
		t.Fatal(err)
	}
	out := 0
	for _, v := range all {
		if !v.InRotation {
			out++
		}
		if v.Verdict.State == "ejected" && v.InRotation {
			t.Errorf("ejected and in rotation: %s", v)
		}
	}
	// The orders come one after the other, so that the first endpoint may be alone in being ill
	// for a moment; the cap leaves it at that one.
	if out > 1 {
		t.Errorf("%d endpoints were ejected: %v", out, all)
	}
	least, most := 0, 0
	for _, e := range endpoints {
		n := between(e.seen(), begin, end)
		if n > most {
			most = n
		}
		if least == 0 || n < least {
			least = n
		}
	}
	figure("all_bad_ejected", float64(out), "count", "0")
	figure("all_bad_least_share_percent", 100*float64(least)/float64(max(most, 1)), "percent", "90")
	if out == 0 && least*10 < most*8 {
		t.Errorf("of %d requests and more one got %d", most, least)
	}
	var h struct {
		Service struct {
			Bad          bool
			Rule, Reason string
		}
	}
	if err := s.api("/tenants/acme/upstreams/api/health", &h); err != nil || !h.Service.Bad {
		t.Errorf("the service is not said to be bad: %+v %v", h, err)
	}

	for _, e := range endpoints {
		e.order("mode=ok")
	}
	healed := time.Now()
	until(t, 30*time.Second, "good answers by all", func() error {
		for _, e := range endpoints {
			if count(l.since(healed, time.Time{}), by(e.name)) == 0 {
				return fmt.Errorf("none by %s", e.name)
			}
		}
		return nil
	})
	l.end()
}
