package faults

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// A stopped endpoint under load: requests on it go to others when the time of a try is over, the
// verdict is there within fall x timeout, and it returns when it goes on.
func TestStoppedEndpoint(t *testing.T) {
	endpoints := startEndpoints(t, "one", "two", "three")
	bad := endpoints[0]
	s := startEdge(t, tenant+upstreamOf("api", retryAll, endpoints))
	for _, e := range endpoints {
		e.order("delay=100ms") // so that some are under way when it stops
	}
	l := startLoad(t, s.url(), 0)
	l.awaitAll(t, endpoints)
	time.Sleep(warmUp)

	begin := time.Now()
	bad.signal(syscall.SIGSTOP)
	v := s.awaitState("api", bad.address, 20*time.Second, "ejected", "down")
	verdict := v.Verdict.Since.Sub(begin)
	time.Sleep(2 * time.Second)
	bad.signal(syscall.SIGCONT)
	on := time.Now()
	back := l.awaitReturn(t, bad.name, on, time.Minute)
	l.end()

	stopped := l.since(begin.Add(-100*time.Millisecond), on)
	moved := count(stopped, func(a answer) bool { return a.failure == "" && a.took() >= perTry })
	figure("stopped_endpoint_errors", float64(count(stopped, failed("GET"))), "count", "0")
	figure("stopped_endpoint_moved", float64(moved), "count", "none")
	figure("stopped_endpoint_verdict_ms", ms(verdict), "ms", "1000")
	figure("stopped_endpoint_return_ms", ms(back), "ms", "6500")
	const fall = 2
	if limit := 10 * fall * perTry; verdict > limit {
		t.Errorf("the verdict took %v: %s", verdict, v)
	}
	if n := count(l.since(begin.Add(-100*time.Millisecond), time.Time{}), failed("GET")); n > 0 || moved == 0 {
		t.Errorf("%d failed, %d were answered by another one: %v", n, moved, failures(l.since(begin, time.Time{})))
	}
}

// The edge itself is stopped under load, for two seconds and then nine times for most of a
// second, as one that gets too little of its processors: what timed out meanwhile, probes above
// all, is its own fault, so no endpoint is blamed.
func TestStoppedEdge(t *testing.T) {
	endpoints := startEndpoints(t, "one", "two", "three")
	s := startEdge(t, tenant+upstreamOf("api", retryAll, endpoints))
	for _, e := range endpoints {
		e.order("delay=300ms&healthz=100ms") // 60 requests are under way at any time, and some probe mostly is
	}
	l := startLoad(t, s.url(), 0)
	l.awaitAll(t, endpoints)
	stop := func(d time.Duration) {
		s.signal(syscall.SIGSTOP)
		time.Sleep(d)
		s.signal(syscall.SIGCONT)
	}
	stop(2 * time.Second)
	for range 9 {
		time.Sleep(150 * time.Millisecond)
		stop(time.Second)
	}
	on := time.Now()
	time.Sleep(2 * time.Second)
	l.end()

	blamed := s.blamed()
	figure("stopped_edge_blamed", float64(len(blamed)), "count", "0")
	all := l.since(time.Time{}, time.Time{})
	errors := count(all, failed("GET"))
	figure("stopped_edge_errors", float64(errors), "count", "0")
	if errors*20 > len(all) { // the answers are there when it goes on; a busy machine may add its own delays
		t.Errorf("%d of %d failed: %v", errors, len(all), failures(all))
	}
	if len(blamed) > 0 {
		t.Errorf("endpoints were blamed: %v", blamed)
	}
	if n := strings.Count(s.log.String(), "this process was paused"); n < 5 {
		t.Errorf("of 10 pauses it noticed %d", n)
	}
	for _, e := range endpoints {
		if count(l.since(on, time.Time{}), by(e.name)) == 0 {
			t.Errorf("no answer of %s after it all", e.name)
		}
	}
}

func (s *edge) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// blamed lists the log's lines about endpoints that were taken out.
func (s *edge) blamed() (lines []string) {
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "verdict=ejected") || strings.Contains(line, "verdict=down") {
			lines = append(lines, line)
		}
	}
	return lines
}
