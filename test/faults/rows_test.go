package faults

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"
)

// contender is an edge with three endpoints of its own and a load of its own.
type contender struct {
	name      string
	endpoints []*endpoint
	load      *load
	row       measured
}

func (c *contender) bad() *endpoint { return c.endpoints[0] }

// measured is what one edge showed in one row.
type measured struct {
	failedGET, failedPOST, duplicates int
	reached, reachedLate              int           // requests on the bad endpoint; those sent 1 s after the fault or later
	slowed                            int           // requests that took longer than half the time of a try
	longest                           time.Duration // of the successful ones and the others
	last                              time.Duration // after the fault, of the last request on the bad endpoint
	back                              time.Duration // from the healing to the first answer; 0: not measured
}

// fault is a row of the table, with Sluice's marks.
type fault struct {
	name       string
	begin, end func(*endpoint)
	returns    bool
	marks      map[string]float64
}

var faults = []fault{
	{"kill", (*endpoint).kill, (*endpoint).start, true,
		map[string]float64{"errors": 0, "return_s": 1}},
	{"stop", func(e *endpoint) { e.signal(syscall.SIGSTOP) }, func(e *endpoint) { e.signal(syscall.SIGCONT) }, true,
		map[string]float64{"errors": 0, "slowed": 100, "out_s": 1}},
	{"hang", orders("mode=hang"), orders("mode=ok"), false,
		map[string]float64{"errors": 0, "slowed": 100, "out_s": 1}},
	{"reset", orders("mode=reset"), orders("mode=ok"), false,
		map[string]float64{"errors": 50, "out_s": 1}},
	{"502", orders("mode=502"), orders("mode=ok"), false,
		map[string]float64{"errors": 0, "reached": 10}},
}

func orders(query string) func(*endpoint) { return func(e *endpoint) { e.order(query) } }

// The fault rows of the hardening table: nginx and HAProxy run beside Sluice, each with its own
// endpoints, and the same fault comes to all three at the same time.
func TestFaults(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			all := contenders(t)
			f.run(t, all)
			for _, c := range all {
				f.print(c)
			}
			f.judge(t, all[0])
		})
	}
}

// warmUp is how long peace lasts at least: the budget of retries is a share of the last seconds'
// requests, and every probe has come by then.
const warmUp = 3 * time.Second

// contenders starts all three; the first one is Sluice.
func contenders(t *testing.T) []*contender {
	t.Helper()
	all := []*contender{{name: "sluice"}, {name: "nginx"}, {name: "haproxy"}}
	for _, c := range all {
		c.endpoints = startEndpoints(t, "one", "two", "three")
		var url string
		switch c.name {
		case "sluice":
			url = startEdge(t, tenant+upstreamOf("api", retryAll, c.endpoints)).url()
		case "nginx":
			url = startNginx(t, c.endpoints)
		case "haproxy":
			url = startHAProxy(t, c.endpoints)
		}
		c.load = startLoad(t, url, 10)
	}
	for _, c := range all {
		c.load.awaitAll(t, c.endpoints)
	}
	time.Sleep(warmUp)
	return all
}

// ill is how long a fault lasts at least, and illAtMost at most: until Sluice's endpoint has
// had a while without requests. The first is shorter than the shortest first ejection, which has
// 10 percent of jitter, so that no trial request comes within.
const ill, illAtMost = 4 * time.Second, 12 * time.Second

func (f fault) run(t *testing.T, all []*contender) {
	t.Helper()
	begin := time.Now()
	together(all, func(c *contender) { f.begin(c.bad()) })
	time.Sleep(time.Until(begin.Add(ill)))
	for time.Since(begin) < illAtMost && between(all[0].bad().seen(), time.Now().Add(-1500*time.Millisecond), time.Now()) > 0 {
		time.Sleep(100 * time.Millisecond)
	}
	healed := time.Now()
	together(all, func(c *contender) { f.end(c.bad()) })
	if f.returns {
		began := time.Now() // a process that was killed is back by now
		together(all, func(c *contender) { c.row.back = c.load.awaitReturn(t, c.bad().name, began, 40*time.Second) })
	}
	for _, c := range all {
		c.load.end()
		c.row.count(c, begin, healed)
	}
}

// together does the same to all at once.
func together(all []*contender, do func(*contender)) {
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() { do(c) })
	}
	wg.Wait()
}

func (m *measured) count(c *contender, begin, healed time.Time) {
	answers, seen := c.load.since(begin.Add(-time.Second), healed), c.bad().seen()
	m.failedGET, m.failedPOST = count(answers, failed("GET")), count(answers, failed("POST"))
	m.duplicates = duplicates(c.endpoints)
	m.slowed = count(answers, func(a answer) bool { return a.took() > perTry/2 })
	m.longest = longest(answers)
	m.reached, m.reachedLate = between(seen, begin, healed), between(seen, begin.Add(time.Second), healed)
	for _, r := range seen {
		if r.sent.Before(healed) {
			m.last = max(m.last, r.sent.Sub(begin))
		}
	}
}

func (f fault) print(c *contender) {
	m := c.row
	for _, v := range []struct {
		what, unit string
		value      float64
	}{
		{"errors", "count", float64(m.failedGET)}, {"errors_post", "count", float64(m.failedPOST)}, {"duplicates_post", "count", float64(m.duplicates)},
		{"reached", "count", float64(m.reached)}, {"reached_after_1s", "count", float64(m.reachedLate)},
		{"slowed", "count", float64(m.slowed)}, {"longest_ms", "ms", ms(m.longest)}, {"out_ms", "ms", ms(m.last)}, {"return_ms", "ms", ms(m.back)},
	} {
		goal := "none"
		if c.name == "sluice" {
			goal = f.goal(v.what)
		}
		figure(fmt.Sprintf("fault_%s_%s_%s", f.name, v.what, c.name), v.value, v.unit, goal)
	}
	fmt.Printf("| %s | %s | %d | %d | %d | %d | %d | %d | %.0f ms | %.0f ms | %s |\n", f.name, c.name, m.failedGET, m.failedPOST, m.duplicates,
		m.reached, m.reachedLate, m.slowed, ms(m.longest), ms(m.last), backText(m.back))
}

func backText(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f ms", ms(d))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// goal is the mark as figures have it.
func (f fault) goal(what string) string {
	switch what {
	case "duplicates_post", "reached_after_1s":
		return "0"
	case "out_ms", "return_ms":
		if s, ok := f.marks[what[:len(what)-2]+"s"]; ok {
			return fmt.Sprint(s * 1000)
		}
	}
	if n, ok := f.marks[what]; ok {
		return fmt.Sprint(n)
	}
	return "none"
}

// judge holds Sluice to its marks.
func (f fault) judge(t *testing.T, c *contender) {
	t.Helper()
	m := c.row
	if m.duplicates > 0 {
		t.Errorf("%d POST requests were sent twice", m.duplicates)
	}
	if most := f.marks["errors"]; float64(m.failedGET) > most {
		t.Errorf("%d failed, at most %.0f may: %v", m.failedGET, most, failures(c.load.since(time.Time{}, time.Time{})))
	}
	const wider, widerCount = 10, 5 // counts grow with the time that a busy machine takes
	for what, is := range map[string]float64{"slowed": float64(m.slowed) / widerCount, "reached": float64(m.reached) / widerCount,
		"out_s": m.last.Seconds() / wider, "return_s": m.back.Seconds() / wider} {
		if mark, ok := f.marks[what]; ok && is > mark {
			t.Errorf("%s is far above the mark of %.0f: %+v", what, mark, m)
		}
	}
	if n := len(c.load.since(time.Time{}, time.Time{})); n < perSecond {
		t.Errorf("only %d requests were sent", n)
	}
}
