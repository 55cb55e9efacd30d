package http2

// crew are the goroutines of a connection that wait for their next stream or write. A new
// goroutine begins with a small stack, and growing that costs more than serving a small
// request does, so they are kept while the connection is in use.
type crew struct {
	waiting []chan func() // the last one that came goes first: its memory is still in the cache
	gone    bool
}

// spawn runs f in a goroutine. mu is held.
func (c *Conn) spawn(f func()) {
	w := &c.crew.waiting
	if n := len(*w); n > 0 {
		(*w)[n-1] <- f // it holds one, so this does not wait
		*w = (*w)[:n-1]
		return
	}
	go c.work(f)
}

// work runs f, and then what else there is, until the crew is dismissed.
func (c *Conn) work(f func()) {
	for jobs := make(chan func(), 1); f != nil; f = <-jobs {
		f()
		c.mu.Lock()
		if c.crew.gone {
			c.mu.Unlock()
			return
		}
		c.crew.waiting = append(c.crew.waiting, jobs)
		c.mu.Unlock()
	}
}

// dismiss ends the goroutines that wait. mu is held.
func (c *Conn) dismiss() {
	for _, jobs := range c.crew.waiting {
		close(jobs)
	}
	c.crew.waiting = nil
}
