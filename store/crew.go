package store

import "sync"

// crew runs calls in goroutines that stay for the next one: a new goroutine begins with a small
// stack, and growing that takes as long as a read.
type crew struct {
	mu      sync.Mutex
	waiting []chan func() // each holds one call; guarded by mu
	gone    bool          // guarded by mu
}

// mostWaiting is how many goroutines stay; changes seldom come in greater numbers at a time.
const mostWaiting = 4

// run has f called by another goroutine.
func (c *crew) run(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.waiting); n > 0 {
		c.waiting[n-1] <- f
		c.waiting = c.waiting[:n-1]
		return
	}
	go c.work(f)
}

func (c *crew) work(f func()) {
	for jobs := make(chan func(), 1); f != nil; f = <-jobs {
		f()
		c.mu.Lock()
		if c.gone || len(c.waiting) == mostWaiting {
			c.mu.Unlock()
			return
		}
		c.waiting = append(c.waiting, jobs)
		c.mu.Unlock()
	}
}

// dismiss ends the goroutines that wait.
func (c *crew) dismiss() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, jobs := range c.waiting {
		close(jobs)
	}
	c.waiting, c.gone = nil, true
}
