package proxy

import (
	"sync"
	"sync/atomic"
)

// The retry budget's window, in seconds, and what it allows in any case: at a few requests a
// second a fifth of them is less than one, and a service that is asked rarely would get no
// retry at all. Finagle allows ten a second for that, Envoy three at a time.
const (
	budgetWindow = 10
	budgetFloor  = 3 // a second
)

// retryBudget bounds an upstream's retries to a share of its requests, so that a failure does
// not double the load of those who are failing. It is touched by retries, and once a second.
type retryBudget struct {
	mu       sync.Mutex
	totals   [budgetWindow]uint64 // guarded by mu; exchanges until the start of each second
	retries  [budgetWindow]uint64 // guarded by mu; in each second
	second   int                  // guarded by mu; where the current one is
	recent   uint64               // guarded by mu; requests within the window, without retries
	made     [numReasons]uint64   // guarded by mu; since the start
	refused  uint64               // guarded by mu
	departed atomic.Uint64        // exchanges of endpoints that are gone
}

// tick begins a new second. total counts all exchanges there ever were.
func (b *retryBudget) tick(total uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.second = (b.second + 1) % budgetWindow
	oldest := b.totals[b.second]
	b.totals[b.second], b.retries[b.second] = total, 0
	b.recent = 0
	if made := b.inWindow(); total > oldest+made {
		b.recent = total - oldest - made
	}
}

func (b *retryBudget) inWindow() (n uint64) {
	for _, r := range b.retries {
		n += r
	}
	return n
}

// take takes one retry out of the budget, if there is one left.
func (b *retryBudget) take(percent int, why reason) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inWindow() >= budgetFloor*budgetWindow+b.recent*uint64(percent)/100 {
		b.refused++
		return false
	}
	b.retries[b.second]++
	b.made[why]++
	return true
}

// exchanges is how many there have been with the upstream's endpoints.
func (up *upstream) exchanges() uint64 {
	n := up.budget.departed.Load()
	for _, e := range up.live.Load().all {
		n += e.total()
	}
	return n
}

func (e *endpoint) total() (n uint64) {
	for i := range e.outcomes {
		n += e.outcomes[i].Load()
	}
	return n
}
