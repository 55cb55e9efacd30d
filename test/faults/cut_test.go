package faults

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The edge's network is cut on the way to all endpoints: packets vanish, or the kernel knows no
// way. No endpoint is blamed, and requests are answered again as soon as the network is back.
// An endpoint that is stopped alone is still found out.
func TestEdgeCutOff(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	f := lay(t, "10.213.0.1", "10.213.0.2", "10.213.0.3")
	one, two, three := f.endpoint("one", "10.213.0.1", 8001), f.endpoint("two", "10.213.0.2", 8002), f.endpoint("three", "10.213.0.3", 8003)
	s := startEdge(t, tenant+upstreamOf("api", retryAll, []*endpoint{one, two})+upstreamOf("other", retryAll, []*endpoint{two, three}))
	l := startLoad(t, s.url(), 0)
	l.awaitAll(t, []*endpoint{one, two})

	for _, cut := range []struct {
		name string
		do   func(bool)
	}{{"swallowed", f.swallow}, {"unplugged", f.unplug}} {
		noticed := strings.Count(s.log.String(), "may be cut off")
		begin := time.Now()
		cut.do(true)
		until(t, 30*time.Second, "notice of the cut", func() error {
			if strings.Count(s.log.String(), "may be cut off") == noticed {
				return fmt.Errorf("none")
			}
			return nil
		})
		took := time.Since(begin)
		time.Sleep(4 * time.Second)
		if n := count(l.since(begin.Add(time.Second), begin.Add(3*time.Second)), by("one")); n > 0 {
			t.Fatalf("%s: %d answers came through", cut.name, n)
		}
		back := time.Now()
		cut.do(false)
		returned := max(l.awaitReturn(t, one.name, back, 30*time.Second), l.awaitReturn(t, two.name, back, 30*time.Second))
		time.Sleep(4 * time.Second) // longer than failures are void after the cut
		figure("edge_"+cut.name+"_blamed", float64(len(s.blamed())), "count", "0")
		figure("edge_"+cut.name+"_noticed_ms", ms(took), "ms", "none")
		figure("edge_"+cut.name+"_return_ms", ms(returned), "ms", "1000")
		if b := s.blamed(); len(b) > 0 {
			t.Fatalf("%s: endpoints were blamed: %v", cut.name, b)
		}
		if !strings.Contains(s.log.String(), "not cut off any more") {
			t.Errorf("%s: it has not noticed the end", cut.name)
		}
	}

	three.signal(syscall.SIGSTOP) // it gets no requests, so that probes alone find out
	v := s.awaitState("other", three.address, time.Minute, "down")
	if v.InRotation {
		t.Errorf("%s", v)
	}
	if b := s.blamed(); len(b) != 1 {
		t.Errorf("blamed: %v", b)
	}
}
