package pool

import "sync"

// Conn is what a pool keeps.
type Conn interface {
	// Alive says, without waiting, whether the peer is there and silent.
	Alive() bool
	Close() error
}

// Pool holds idle connections, the one used last on top, so that the others grow old and a
// quiet time closes them.
type Pool[C Conn] struct {
	max int

	mu     sync.Mutex
	idle   []entry[C] // guarded by mu; oldest first
	closed bool       // guarded by mu
}

type entry[C Conn] struct {
	conn C
	at   int64
}

// New makes a pool that keeps at most limit idle connections.
func New[C Conn](limit int) *Pool[C] { return &Pool[C]{max: limit} }

// Get takes the connection that was used last. Those that turn out to be dead are closed, and
// those on which something has arrived that nobody asked for: it would be read as the next
// answer. The look is a system call that every reuse pays, since a stray answer may come at
// any moment.
// now and idle (how long a connection may have waited) are nanoseconds.
func (p *Pool[C]) Get(now, idle int64) (c C, ok bool) {
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return c, false
		}
		e := p.idle[n-1]
		p.idle[n-1] = entry[C]{}
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		waited := now - e.at
		if waited < idle && e.conn.Alive() {
			return e.conn, true
		}
		_ = e.conn.Close() // its failure has no one to tell
	}
}

// Put gives a connection back. It is closed when the pool is full or closed.
func (p *Pool[C]) Put(c C, now int64) {
	p.mu.Lock()
	if p.closed || len(p.idle) >= p.max {
		p.mu.Unlock()
		_ = c.Close()
		return
	}
	p.idle = append(p.idle, entry[C]{c, now})
	p.mu.Unlock()
}

// Sweep closes the connections that have waited for idle nanoseconds, and those whose peer
// has gone.
func (p *Pool[C]) Sweep(now, idle int64) {
	var drop []C
	p.mu.Lock()
	kept := p.idle[:0]
	for _, e := range p.idle {
		if waited := now - e.at; waited >= idle || !e.conn.Alive() {
			drop = append(drop, e.conn)
			continue
		}
		kept = append(kept, e)
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	p.mu.Unlock()
	for _, c := range drop {
		_ = c.Close()
	}
}

// Idle is the number of connections that wait.
func (p *Pool[C]) Idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}

// Close closes the connections that wait, and from now on every one that comes back.
func (p *Pool[C]) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, e := range idle {
		_ = e.conn.Close()
	}
}
