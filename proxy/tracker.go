package proxy

import (
	"context"
	"sync"
	"sync/atomic"
)

// tracker knows the open client connections. It is touched when one opens or closes, never
// per request.
type tracker struct {
	mu     sync.Mutex
	open   map[*conn]struct{} // guarded by mu
	closed bool               // guarded by mu: drain has begun
	empty  chan struct{}      // guarded by mu; closed when drained
}

// The states of a client connection.
const (
	connIdle   int32 = iota // waits for a request
	connActive              // has one
	connWoken               // was idle when drain told it to close
)

// connState is a connection's state, written by who serves it and read by others.
type connState struct{ atomic.Int32 }

func (t *tracker) init() { t.open = map[*conn]struct{}{} }

// add reports false when draining has begun.
func (t *tracker) add(c *conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.open[c] = struct{}{}
	return true
}

func (t *tracker) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, c)
	if t.closed && len(t.open) == 0 && t.empty != nil {
		close(t.empty)
		t.empty = nil
	}
}

// attach has a loop watch the connection, which drain may want to interrupt.
func (t *tracker) attach(c *conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return c.s.Attach()
}

// barrier returns after a drain that is waking connections is done with it.
func (t *tracker) barrier() {
	t.mu.Lock()
	defer t.mu.Unlock()
}

// idle says whether the connection waits for a request.
func (c *conn) idle() bool {
	if h := c.h2.Load(); h != nil {
		return h.Idle()
	}
	return c.state.Load() == connIdle
}

// count tells how many connections of listener l are idle and active.
func (t *tracker) count(l *listener) (idle, active int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.open {
		switch {
		case c.l != l:
		case c.idle():
			idle++
		default:
			active++
		}
	}
	return idle, active
}

// drain wakes the idle connections, which then close, and waits for the others until ctx
// ends. Then it closes them under their requests.
func (t *tracker) drain(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	if len(t.open) == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.empty == nil {
		t.empty = make(chan struct{})
	}
	empty := t.empty
	for c := range t.open {
		if h := c.h2.Load(); h != nil {
			h.Drain()
		} else if c.state.CompareAndSwap(connIdle, connWoken) {
			c.s.Interrupt()
		}
	}
	t.mu.Unlock()

	select {
	case <-empty:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	for c := range t.open {
		c.kill()
	}
	t.mu.Unlock()
	<-empty
	return ctx.Err()
}
