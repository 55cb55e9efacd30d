package alert

import (
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// queueRoom bounds what waits for one receiver: about 200 kB.
	queueRoom = 512
	// tooOld is how long an alert may wait. What is older says little to whoever gets it; what
	// still holds is on the API.
	tooOld = 6 * time.Hour
)

// waiting is an alert in a queue.
type waiting struct {
	gateway.Alert
	at time.Time // when it came
}

// queue is what one receiver has not been told yet: of each condition the latest state only,
// in the order in which they came.
type queue struct {
	mu      sync.Mutex
	list    []waiting // guarded by mu
	sending []waiting // guarded by mu; taken out, and not known to be told
	dropped uint64    // guarded by mu
	more    chan struct{}
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1)} }

// put adds an alert in place of what waits of the same condition. It never waits: when the
// queue is full, the oldest is dropped.
func (q *queue) put(now time.Time, a gateway.Alert) {
	q.mu.Lock()
	q.list = slices.DeleteFunc(q.list, func(w waiting) bool { return w.ID == a.ID })
	q.list = append(q.list, waiting{a, now})
	q.shorten()
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// shorten is called with mu held.
func (q *queue) shorten() {
	if n := len(q.list) - queueRoom; n > 0 {
		q.dropped += uint64(n)
		q.list = slices.Delete(q.list, 0, n)
	}
}

// take removes and returns everything that is not too old.
func (q *queue) take(now time.Time) []waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.list) && now.Sub(q.list[n].at) > tooOld {
		n++
	}
	q.dropped += uint64(n)
	out := q.list[n:]
	q.list, q.sending = nil, out
	return out
}

// sent notes that the first so many of what was taken are told, or never will be.
func (q *queue) sent(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sending = q.sending[n:]
}

// waiting lists what is not known to be told, the oldest first.
func (q *queue) waiting() []waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Concat(q.sending, q.list)
}

// inherit adds what another node did not get told, unless something newer of the same
// condition waits already.
func (q *queue) inherit(w waiting) {
	q.restore([]waiting{w}, false)
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// forget takes out what waits of a condition.
func (q *queue) forget(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = slices.DeleteFunc(q.list, func(w waiting) bool { return w.ID == id })
}

// giveBack puts what could not be sent before what has come since, except where that is of the
// same condition.
func (q *queue) giveBack(unsent []waiting) { q.restore(unsent, true) }

func (q *queue) restore(unsent []waiting, taken bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if taken {
		q.sending = nil
	}
	newer := map[string]bool{}
	for i := range q.list {
		newer[q.list[i].ID] = true
	}
	unsent = slices.DeleteFunc(slices.Clone(unsent), func(w waiting) bool { return newer[w.ID] })
	q.list = append(unsent, q.list...)
	q.shorten()
}

// drop counts what will not be sent.
func (q *queue) drop(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped += uint64(n)
}

func (q *queue) count() (waits int, dropped uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list), q.dropped
}
