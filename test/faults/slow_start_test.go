package faults

import (
	"syscall"
	"testing"
	"time"
)

// The share of an endpoint that is back grows during its slow start.
func TestSlowStartIsVisible(t *testing.T) {
	const slow = 8 * time.Second
	endpoints := startEndpoints(t, "one", "two", "three")
	bad := endpoints[0]
	s := startEdge(t, tenant+upstreamOf("api", retryAll, endpoints, "  slowStart: "+slow.String()))
	l := startLoad(t, s.url(), 0)
	l.awaitAll(t, endpoints)

	bad.signal(syscall.SIGKILL)
	_ = bad.cmd.Wait()
	s.awaitState("api", bad.address, 30*time.Second, "down", "ejected")
	bad.start()
	healthy := s.awaitState("api", bad.address, time.Minute, "healthy").Verdict.Since
	time.Sleep(time.Until(healthy.Add(slow + 3*time.Second)))
	l.end()

	// Of the requests that were its turn, which are a third of all.
	share := func(from, to time.Duration) float64 {
		all := l.since(healthy.Add(from), healthy.Add(to))
		return 300 * float64(count(all, by(bad.name))) / float64(max(len(all), 1))
	}
	early, middle, late := share(100*time.Millisecond, 2*time.Second), share(3*time.Second, 5*time.Second), share(slow+time.Second, slow+3*time.Second)
	figure("slow_start_share_first_2s", early, "percent", "none")
	figure("slow_start_share_3s_to_5s", middle, "percent", "none")
	figure("slow_start_share_after", late, "percent", "100")
	if early <= 0 || early > 50 || middle <= early || late < 80 {
		t.Errorf("its share is %.0f%%, later %.0f%%, and %.0f%% after its slow start", early, middle, late)
	}
}
