package pool

import "sync"

// Conn is what a pool keeps.
type Conn interface {
	// Alive says, without waiting, whether the peer is there and silent.
	Alive() bool
	Close() error
}

// Knower may know that a connection is alive, and costs less than asking it.
type Knower[C Conn] interface{ Sure(c C) bool }

// Pool holds idle connections, the one used last on top, so that the others grow old and a
// quiet time closes them.
type Pool[C Conn] struct {
	max  int
	look func(conns []C, quiet []bool)

	mu     sync.Mutex
	idle   []entry[C]       // guarded by mu; oldest first
	closed bool             // guarded by mu
	ahead  int              // guarded by mu: how many are looked at together
	looked int64            // guarded by mu: when that was done last
	conns  [MostAtOnce]C    // guarded by mu: for look
	quiet  [MostAtOnce]bool // guarded by mu: for look
}

type entry[C Conn] struct {
	conn C
	at   int64
	idle int64 // how long it may wait, by its peer's word; 0: there is none
	seen int64 // when it was looked at; 0: not since it came back
}

// old says whether it has waited too long.
func (e *entry[C]) old(now, idle int64) bool {
	waited := now - e.at
	return waited >= idle || e.idle > 0 && waited >= e.idle
}

// MostAtOnce is how many connections are looked at together at the most.
const MostAtOnce = 16

// freshFor is how long a look is good for, nanoseconds: much less than a request and its answer take.
const freshFor = 50_000

// New makes a pool that keeps at most limit idle connections. look says of several connections, of
// MostAtOnce at the most and without waiting, that they are open and nothing has arrived; a false
// is looked into by Alive. nil: there is no such thing.
func New[C Conn](limit int, look func(conns []C, quiet []bool)) *Pool[C] {
	return &Pool[C]{max: limit, look: look, ahead: 1}
}

// Get takes the connection that was used last. Those that turn out to be dead are closed, and
// those on which something has arrived that nobody asked for: it would be read as the next
// answer. The look is a system call, and a stray answer may come at any moment: so every reuse
// pays for one, or for its share of one at several connections, at most 50 us before, unless k
// knows. now and idle (how long a connection may have waited) are nanoseconds. prompt: now is the
// time, and the request can be sent again; k is asked for such requests alone.
func (p *Pool[C]) Get(now, idle int64, prompt bool, k Knower[C]) (c C, ok bool) {
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return c, false
		}
		quiet := false
		if prompt && p.look != nil {
			if quiet = k.Sure(p.idle[n-1].conn) || p.idle[n-1].fresh(now); !quiet {
				quiet = p.lookAhead(now)
			}
		}
		e := p.idle[n-1]
		p.idle[n-1] = entry[C]{}
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if !e.old(now, idle) && (quiet || e.conn.Alive()) {
			return e.conn, true
		}
		_ = e.conn.Close() // its failure has no one to tell
	}
}

// fresh says that a look was good and is not long ago.
func (e *entry[C]) fresh(now int64) bool {
	since := now - e.seen
	return e.seen != 0 && since >= 0 && since < freshFor
}

// lookAhead looks at the connections that will be wanted next, as many as were wanted lately while
// a look was good, and says whether the first of them is quiet. mu is held.
func (p *Pool[C]) lookAhead(now int64) bool {
	if since := now - p.looked; since >= 0 && since < freshFor {
		p.ahead = min(2*p.ahead, MostAtOnce)
	} else {
		p.ahead = max(p.ahead/2, 1)
	}
	p.looked = now
	k := min(p.ahead, len(p.idle))
	if k == 1 {
		return false // Alive costs the same
	}
	top := p.idle[len(p.idle)-k:]
	for i := range top {
		p.conns[i], p.quiet[i] = top[i].conn, false
	}
	p.look(p.conns[:k], p.quiet[:k])
	for i := range top {
		if top[i].seen = 0; p.quiet[i] {
			top[i].seen = now
		}
	}
	clear(p.conns[:k])
	return p.quiet[k-1]
}

// Put gives a connection back. It is closed when the pool is full or closed. idle is how long it may
// wait at the most, besides what is said to Get; 0: nothing is known of that.
func (p *Pool[C]) Put(c C, now, idle int64) {
	p.mu.Lock()
	if p.closed || len(p.idle) >= p.max {
		p.mu.Unlock()
		_ = c.Close()
		return
	}
	p.idle = append(p.idle, entry[C]{conn: c, at: now, idle: idle})
	p.mu.Unlock()
}

// Sweep closes the connections that have waited for idle nanoseconds, and those whose peer
// has gone.
func (p *Pool[C]) Sweep(now, idle int64) {
	var drop []C
	p.mu.Lock()
	kept := p.idle[:0]
	for _, e := range p.idle {
		if e.old(now, idle) || !e.conn.Alive() {
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
