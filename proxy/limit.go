package proxy

import (
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// limiter lets so many exchanges at a time through to an upstream, and makes others wait
// their turn. It outlives snapshots, and holds a mutex for a few instructions only. Exchanges
// of an upstream without a limit never see it.
type limiter struct {
	mu          sync.Mutex
	most        int   // guarded by mu, as all below; 0: no limit
	mostPending int   // that may wait
	timeout     int64 // of a wait, nanoseconds
	active      int
	pending     int
	first, last *place // who waits, in order

	full, late uint64 // refused for lack of room, and of time
	waits      [numBuckets]uint64
	waited     int64 // nanoseconds
}

// place is one in the queue.
type place struct {
	next  *place
	prev  *place
	since int64
	ready chan struct{} // gets one value when it is its turn
}

// queueLook is how often a request that waits looks whether its client is still there.
const queueLook = 100 * time.Millisecond

// limited sets the upstream's limits, and returns nil when there are none.
func (up *upstream) limited(l gateway.UpstreamLimits) *limiter {
	if up.limit == nil {
		if l.MaxConnections <= 0 {
			return nil
		}
		up.limit = &limiter{}
	}
	pending := 0
	if l.MaxPending != nil {
		pending = *l.MaxPending
	}
	up.limit.set(l.MaxConnections, pending, int64(l.QueueTimeout))
	if l.MaxConnections <= 0 {
		return nil
	}
	return up.limit
}

// set changes the limits. Those for whom there is room now are let through at once; those
// who wait keep their place.
func (l *limiter) set(most, pending int, timeout int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most, l.mostPending, l.timeout = most, pending, timeout
	for l.first != nil && l.room() {
		l.active++
		l.let()
	}
}

func (l *limiter) room() bool { return l.most <= 0 || l.active < l.most }

// let tells the first in the queue that it is its turn.
func (l *limiter) let() {
	t := l.first
	l.remove(t)
	took := socket.Now() - t.since
	l.waits[bucket(took)]++
	l.waited += took
	t.ready <- struct{}{}
}

func (l *limiter) remove(t *place) {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		l.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		l.last = t.prev
	}
	t.next, t.prev = nil, nil
	l.pending--
}

// enter takes a place among the active, or waits for one. gone is asked now and then whether
// the client has left; until, if not 0, is when waiting is of no use any more. It returns how
// long it waited, in nanoseconds.
func (l *limiter) enter(gone func() bool, until int64) (waited int64, err error) {
	l.mu.Lock()
	if l.room() {
		l.active++
		l.mu.Unlock()
		return 0, nil
	}
	if l.pending >= l.mostPending {
		l.full++
		l.mu.Unlock()
		return 0, errQueueFull
	}
	t := &place{since: socket.Now(), prev: l.last, ready: make(chan struct{}, 1)}
	if l.last != nil {
		l.last.next = t
	} else {
		l.first = t
	}
	l.last = t
	l.pending++
	end := t.since + l.timeout
	l.mu.Unlock()
	if until > 0 {
		end = min(end, until)
	}
	err = l.wait(t, gone, end)
	return socket.Now() - t.since, err
}

// wait waits for the turn of t. One of three ends it: the turn, the end of the time, or the
// client's leaving.
func (l *limiter) wait(t *place, gone func() bool, end int64) error {
	tick := time.NewTimer(queueLook)
	defer tick.Stop()
	for {
		left := time.Duration(end - socket.Now())
		tick.Reset(max(0, min(left, queueLook)))
		select {
		case <-t.ready:
			return nil
		case <-tick.C:
		}
		late := socket.Now() >= end
		if !late && !gone() {
			continue
		}
		l.mu.Lock()
		select {
		case <-t.ready: // in the last moment
			l.mu.Unlock()
			return nil
		default:
		}
		l.remove(t)
		if late {
			l.late++
		}
		l.mu.Unlock()
		if late {
			return errQueueLate
		}
		return errClientGone
	}
}

// leave gives the place to the first who waits.
func (l *limiter) leave() {
	l.mu.Lock()
	l.active--
	if l.first != nil && l.room() {
		l.active++
		l.let()
	}
	l.mu.Unlock()
}

// enter waits until the upstream's limits let the exchange through.
func (x *exchange) enter() error {
	l := x.rot.limit
	if l == nil {
		return nil
	}
	var err error
	if x.queued, err = l.enter(x.front.gone, x.deadline); err == nil {
		x.slot = l
	}
	return err
}

// leave ends what enter began.
func (x *exchange) leave() {
	if x.slot != nil {
		x.slot.leave()
		x.slot = nil
	}
}
