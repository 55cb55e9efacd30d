package socket

import (
	"sync"
	"sync/atomic"
	"time"
)

// direction is reading or writing.
type direction struct {
	state atomic.Uint64 // calm, happened or waited, and in the other bits how many waits there were
	self  sleeper       // who waits, when somebody does
	late  atomic.Bool   // the deadline has passed

	mu    sync.Mutex
	due   int64       // guarded by mu; 0: no deadline
	timer *time.Timer // guarded by mu
}

// The states of a direction. Each wait has a number, so that who ends one does not end the next.
const (
	calm     = 0 // nobody waits, and nothing has happened
	happened = 1 // nobody waits, and need not
	waited   = 2 // somebody waits
	states   = 3 // the bits of the state
	oneWait  = 4
)

// sleeper is a Watcher, or else the goroutine that takes from wake.
type sleeper struct {
	watcher Watcher
	wake    chan struct{}
}

// tell wakes the one who waits, or notes that something happened. It reports whether a goroutine
// was woken.
func (s *direction) tell(t Turn) bool {
	for {
		switch v := s.state.Load(); v & states {
		case happened:
			return false
		case calm:
			if s.state.CompareAndSwap(v, v|happened) {
				return false
			}
		default:
			if !s.state.CompareAndSwap(v, v&^states) {
				continue
			}
			if w := s.self.watcher; w != nil {
				w.Ready(t)
				return false
			}
			s.self.wake <- struct{}{}
			return true
		}
	}
}

// note notes that something happened, if nobody waits.
func (s *direction) note() {
	if v := s.state.Load(); v&states == calm {
		s.state.CompareAndSwap(v, v|happened)
	}
}

// hurry wakes the one who waits, if there is one, to look at something else than the network.
// The caller may hold locks, so a Watcher is called by a goroutine of its own.
func (s *direction) hurry() {
	v := s.state.Load()
	if v&states != waited || !s.state.CompareAndSwap(v, v&^states) {
		return
	}
	if w := s.self.watcher; w != nil {
		go w.Ready(Turn{Now: Now()})
		return
	}
	s.self.wake <- struct{}{}
}

// enter begins a wait of self, and returns its number; 0: something has happened.
func (s *direction) enter() uint64 {
	for {
		v := s.state.Load()
		if v&states == happened {
			if s.state.CompareAndSwap(v, v&^states) {
				return 0
			}
			continue
		}
		if number := v + oneWait | waited; s.state.CompareAndSwap(v, number) {
			return number
		}
	}
}

// leave ends a wait, and reports false when it has ended already.
func (s *direction) leave(number uint64) bool { return s.state.CompareAndSwap(number, number&^states) }

// forget lets the next wait begin now: the caller is about to look.
func (s *direction) forget() {
	if v := s.state.Load(); v&states == happened {
		s.state.CompareAndSwap(v, v&^states)
	}
}

// setDeadline is SetReadDeadline or SetWriteDeadline of net.Conn.
func (s *direction) setDeadline(t time.Time) {
	if t.IsZero() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.due = 0
		s.late.Store(false)
		return
	}
	left := time.Until(t)
	s.mu.Lock()
	if left <= 0 {
		s.due = 0
		s.late.Store(true)
		s.mu.Unlock()
		s.hurry()
		return
	}
	defer s.mu.Unlock()
	s.due = Now() + int64(left)
	s.late.Store(false)
	if s.timer == nil {
		s.timer = time.AfterFunc(left, s.expire)
	} else {
		s.timer.Reset(left)
	}
}

func (s *direction) expire() {
	s.mu.Lock()
	if s.due == 0 || Now() < s.due {
		s.mu.Unlock()
		return // it has been moved
	}
	s.due = 0
	s.late.Store(true)
	s.mu.Unlock()
	s.hurry()
}

// stop ends what waits.
func (s *direction) stop() {
	s.mu.Lock()
	s.due = 0
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.hurry()
}
