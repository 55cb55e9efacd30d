package health

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// ledgerAge is how long events are kept.
	ledgerAge = 24 * time.Hour
	// ledgerEach and ledgerAll bound the memory, which is at most about a kilobyte for each
	// event with its samples: an endpoint that flaps all day pushes out its own upstream's
	// history and nobody else's.
	ledgerEach = 256
	ledgerAll  = 8192
)

// ledger keeps what has happened. The events of earlier processes of the node come from its
// archive; what these thought of services ended with them, as verdicts do.
type ledger struct {
	archive *Archive // nil: events are in memory only
	mu      sync.Mutex
	of      map[gateway.UpstreamKey][]gateway.HealthEvent // guarded by mu; oldest first
	kept    int                                           // guarded by mu; in all of them
	bad     map[gateway.UpstreamKey]gateway.HealthEvent   // guarded by mu; services that are bad now
	dropped uint64                                        // guarded by mu; that subscribers missed
	subs    []chan gateway.HealthEvent                    // guarded by mu
}

func newLedger() *ledger {
	return &ledger{of: map[gateway.UpstreamKey][]gateway.HealthEvent{}, bad: map[gateway.UpstreamKey]gateway.HealthEvent{}}
}

// add keeps events, which come in the order of time for each upstream, and hands them out. It
// never waits.
func (l *ledger) add(events []gateway.HealthEvent) {
	if len(events) == 0 {
		return
	}
	if l.archive != nil {
		l.archive.add(events)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		l.keep(e)
		switch e.Kind {
		case gateway.EventServiceBad:
			l.bad[e.Upstream] = e
		case gateway.EventServiceGood:
			delete(l.bad, e.Upstream)
		}
		if l.kept > ledgerAll {
			l.dropOldest()
		}
		for _, s := range l.subs {
			l.send(s, e)
		}
	}
}

// keep makes room in the event's upstream. mu is held.
func (l *ledger) keep(e gateway.HealthEvent) {
	old := l.of[e.Upstream]
	drop := 0
	for drop < len(old) && (len(old)-drop >= ledgerEach || e.At.Sub(old[drop].At) > ledgerAge) {
		drop++
	}
	l.of[e.Upstream] = append(slices.Delete(old, 0, drop), e)
	l.kept += 1 - drop
}

// restore takes in what earlier processes have told, in the order of time.
func (l *ledger) restore(events []gateway.HealthEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		l.keep(e)
	}
}

// dropOldest makes room: a tenth at once, so that a storm does not search for each event.
func (l *ledger) dropOldest() {
	var times []time.Time
	for _, events := range l.of {
		for i := range events {
			times = append(times, events[i].At)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	l.dropUntil(times[len(times)/10])
}

// dropUntil drops what is not younger than that.
func (l *ledger) dropUntil(at time.Time) {
	l.kept = 0
	for k, events := range l.of {
		n := 0
		for n < len(events) && !events[n].At.After(at) {
			n++
		}
		if n == len(events) {
			delete(l.of, k)
			continue
		}
		if n > 0 {
			events = slices.Clone(events[n:])
			l.of[k] = events
		}
		l.kept += len(events)
	}
}

// send drops the oldest event when there is no room.
func (l *ledger) send(s chan gateway.HealthEvent, e gateway.HealthEvent) {
	for {
		select {
		case s <- e:
			return
		default:
		}
		select {
		case <-s:
			l.dropped++
		default:
		}
	}
}

func (l *ledger) subscribe(room int) (<-chan gateway.HealthEvent, func()) {
	s := make(chan gateway.HealthEvent, max(room, 1))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subs = append(l.subs, s)
	return s, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.subs = slices.DeleteFunc(l.subs, func(c chan gateway.HealthEvent) bool { return c == s })
	}
}

// history returns the events that q chooses, newest first.
func (l *ledger) history(now time.Time, q gateway.HealthQuery) []gateway.HealthEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := []gateway.HealthEvent{}
	take := func(events []gateway.HealthEvent) {
		for i := range events {
			if now.Sub(events[i].At) <= ledgerAge && q.Takes(&events[i]) {
				found = append(found, events[i])
			}
		}
	}
	if q.Tenant != "" && q.Upstream != "" {
		take(l.of[gateway.UpstreamKey{Tenant: q.Tenant, Name: q.Upstream}])
	} else {
		for _, events := range l.of {
			take(events)
		}
	}
	slices.Reverse(found) // later ones of one moment stay before earlier ones
	slices.SortStableFunc(found, func(a, b gateway.HealthEvent) int {
		return cmp.Or(b.At.Compare(a.At), a.Upstream.Compare(b.Upstream))
	})
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	return found
}

// forget is called when an upstream is gone. Its history stays for those who look for it.
func (l *ledger) forget(k gateway.UpstreamKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.bad, k)
}

// badServices are the events of services that are bad now, by upstream.
func (l *ledger) badServices() []gateway.HealthEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Values(l.bad), func(a, b gateway.HealthEvent) int { return a.Upstream.Compare(b.Upstream) })
}

// problems are the services that are bad now.
func (l *ledger) problems() []gateway.Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]gateway.Problem, 0, len(l.bad))
	for k, e := range l.bad {
		out = append(out, gateway.Problem{Object: gateway.Ref{Kind: gateway.KindUpstream, Tenant: k.Tenant, Name: k.Name}, Code: "service_bad", Source: "health",
			Message: fmt.Sprintf("Since %s %s, as %s sees it. No endpoint is better than the others, so none is ejected: look at what they share.",
				e.At.UTC().Format(time.TimeOnly+" MST"), e.Reason, e.Observer)})
	}
	slices.SortFunc(out, gateway.Problem.Compare)
	return out
}

// missed is how many events subscribers were too slow for.
func (l *ledger) missed() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}
