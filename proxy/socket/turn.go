package socket

// Turn is what a loop gives a Watcher. The zero value is of no loop.
type Turn struct {
	Now  int64 // the time, in the unit of Now
	loop *loop
}

// Sure says of an idle connection of the same loop that it is open and silent: nothing had happened
// on it when the loop looked last, which was not before what the Watcher is told of. It costs no
// system call.
func (t *Turn) Sure(c *Conn) bool {
	d := c.d
	return t.loop != nil && d != nil && d.loop == t.loop && c.low == nil && d.r.state.Load()&states == calm && !d.ended.Load()
}

// Stepper goes on with what a [Watcher] has begun.
type Stepper interface {
	// Step goes on. It must not wait.
	Step(t Turn)
}

// Later has s go on soon, when all who were told with it have come as far. It reports false when
// that is not possible. Steps of one kind so come one after the other: a processor that does the
// same again has its code at hand, which it has not after a system call.
func (t *Turn) Later(s Stepper) bool {
	l := t.loop
	if l == nil || len(l.later) == cap(l.later) {
		return false
	}
	l.later = append(l.later, s)
	return true
}

// Again has w told again when all others have had their turn: it has more to do than is fair at once. It
// reports false when that is not possible.
func (t *Turn) Again(w Watcher) bool {
	l := t.loop
	if l == nil {
		return false
	}
	l.again = append(l.again, w)
	return true
}

// goOn tells those who wanted to be told again.
func (l *loop) goOn(t Turn, again []Watcher) {
	for _, w := range again {
		w.Ready(t)
	}
	clear(again)
	l.before = again
}

// stepOn lets all go on, and again, until nobody is left.
func (l *loop) stepOn(t Turn) {
	for len(l.later) > 0 {
		now := l.later
		l.later = l.spare[:0]
		for _, s := range now {
			s.Step(t)
		}
		clear(now)
		l.spare = now
	}
}
