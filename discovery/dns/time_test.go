package dns

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/sluice-gateway/sluice/discovery"
)

// clocked is a source in a bubble whose answers are the test's, with the times of its questions.
func clocked(t *testing.T, answer func(q *dns.Msg) (*dns.Msg, error), d time.Duration) (asked []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		cfg := Config{Servers: []string{"192.0.2.1:53"}}
		cfg.exchange = func(_ context.Context, _, _ string, m *dns.Msg) (*dns.Msg, error) {
			asked = append(asked, time.Since(start))
			return answer(m)
		}
		f := follow(t, cfg, typeA)
		go func() {
			for range f.out { //nolint:revive // the sets are not what this is about
			}
		}()
		time.Sleep(d)
		synctest.Wait()
		f.want()
		close(f.out)
	})
	return asked
}

// The time to live says when to ask again, within bounds, and never before it is over.
func TestTimeToLive(t *testing.T) {
	for _, c := range []struct {
		name string
		text []string
		wait time.Duration // between questions, up to a tenth more
	}{
		{"as it says", []string{"web.test. 60 A 10.0.0.1"}, time.Minute},
		{"the shortest of all", []string{"web.test. 60 A 10.0.0.1", "web.test. 20 A 10.0.0.2"}, 20 * time.Second},
		{"none is a second", []string{"web.test. 0 A 10.0.0.1"}, time.Second},
		{"a day is five minutes", []string{"web.test. 86400 A 10.0.0.1"}, 5 * time.Minute},
		{"the highest bit is 0", []string{"web.test. 4294967295 A 10.0.0.1"}, time.Second},
		{"an alias's counts too", []string{"web.test. 7 CNAME www.test.", "www.test. 60 A 10.0.0.1"}, 7 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := clocked(t, func(q *dns.Msg) (*dns.Msg, error) { return recordsFor(q, c.text...), nil }, 10*c.wait)
			asked = slices.Compact(asked) // the alias's target is asked for at the same time
			if len(asked) < 9 {
				t.Fatalf("asked at %v", asked)
			}
			for i, at := range asked[1:] {
				if wait := at - asked[i]; wait < c.wait || wait > c.wait+c.wait/10+1 {
					t.Errorf("asked again after %v, want %v to a tenth more", wait, c.wait)
				}
			}
		})
	}
}

// A negative answer is asked for again after two seconds, and then after the time that its SOA
// record gives it: the smaller of its TTL and its last field.
func TestNegativeTimeToLive(t *testing.T) {
	for _, c := range []struct {
		name, soa string
		wait      time.Duration
	}{
		{"the last field", "test. 900 SOA ns.test. a.test. 1 1 1 1 30", 30 * time.Second},
		{"the record's own", "test. 40 SOA ns.test. a.test. 1 1 1 1 900", 40 * time.Second},
		{"none without the record", "other.test. 1 A 10.0.0.1", 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := clocked(t, func(q *dns.Msg) (*dns.Msg, error) {
				m := recordsFor(q, c.soa)
				m.Rcode = dns.RcodeNameError
				return m, nil
			}, 5*c.wait)
			if len(asked) < 4 || asked[1]-asked[0] != 2*time.Second {
				t.Fatalf("asked at %v, want the second time after 2s", asked)
			}
			for i, at := range asked[2:] {
				if wait := at - asked[i+1]; wait < c.wait || wait > c.wait+c.wait/10+1 {
					t.Errorf("asked again after %v, want %v to a tenth more", wait, c.wait)
				}
			}
		})
	}
}

// Failures are tried again with a growing pause.
func TestPauses(t *testing.T) {
	asked := clocked(t, func(q *dns.Msg) (*dns.Msg, error) { return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure), nil }, 5*time.Minute)
	// Two rounds each time; pauses of 1, 2, 4, 8, 16, 30, 30… seconds, or down to half of it.
	if n := len(asked); n < 2*12 || n > 2*26 {
		t.Errorf("asked %d times in five minutes: %v", n, asked)
	}
	if last := asked[len(asked)-1] - asked[len(asked)-3]; last < 15*time.Second || last > 30*time.Second {
		t.Errorf("the last pause is %v", last)
	}
}

// Status before, while and after it runs.
func TestStatusWithoutWants(t *testing.T) {
	s := New(Config{Name: "inner", Servers: []string{"192.0.2.1:53"}})
	if got := s.Status(); got.Up || got.Error != "not running" || got.Name != "dns/inner" {
		t.Errorf("%+v", got)
	}
	f := follow(t, Config{Servers: []string{"192.0.2.1:53"}})
	f.status(t, "up", func(s discovery.SourceStatus) bool { return s.Up && s.Error == "" })
}
