package health

import (
	"context"
	"net"
	"sync"
	"time"
)

// span is the context of one probe, which is over when the target is stopped or its time is up.
// The contexts of the standard library, one for each of the two, were a fifth of what a probe
// costs: they enter themselves in their parents, and start timers and make channels that a probe
// of ten a millisecond seldom needs. A connection has a deadline of its own, so that a timer is
// only for those who wait for Done.
type span struct {
	mu       sync.Mutex
	deadline time.Time     // guarded by mu; zero: its time can not be up any more
	stopped  bool          // guarded by mu
	conn     net.Conn      // guarded by mu; what fails when the target is stopped
	done     chan struct{} // guarded by mu; nil until somebody asks
	closed   bool          // guarded by mu; done is
	timer    *time.Timer   // guarded by mu; closes done
}

// begin sets the time at which the span is over.
func (s *span) begin(deadline time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = deadline
}

// settle says that the probe has its result: from now on only stop ends the span.
func (s *span) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline, s.conn = time.Time{}, nil
	if s.timer != nil {
		s.timer.Stop()
	}
}

// stop ends the span, and whatever goes on on its connection.
func (s *span) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.conn != nil {
		expire(s.conn)
	}
	s.closeDone()
}

// hold has the connection fail when the span is over.
func (s *span) hold(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || !s.deadline.IsZero() && conn.SetDeadline(s.deadline) != nil {
		expire(conn)
		return
	}
	s.conn = conn
}

// release forgets the connection.
func (s *span) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = nil
}

// closeDone is called with mu held.
func (s *span) closeDone() {
	if s.done != nil && !s.closed {
		s.closed = true
		close(s.done)
	}
}

// Deadline is part of [context.Context].
func (s *span) Deadline() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deadline, !s.deadline.IsZero()
}

// Done is part of [context.Context].
func (s *span) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done != nil {
		return s.done
	}
	s.done = make(chan struct{})
	switch {
	case s.stopped:
		s.closeDone()
	case !s.deadline.IsZero():
		s.timer = time.AfterFunc(time.Until(s.deadline), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if !s.deadline.IsZero() {
				s.closeDone()
			}
		})
	}
	return s.done
}

// Err is part of [context.Context].
func (s *span) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return context.Canceled
	case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value is part of [context.Context].
func (s *span) Value(any) any { return nil }

// holdWith has the connection fail when ctx is over, until release is called.
func holdWith(ctx context.Context, conn net.Conn) (release func()) {
	if s, ok := ctx.(*span); ok {
		s.hold(conn)
		return s.release
	}
	// A read or write cannot wait for a context, but a deadline in the past ends it.
	stop := context.AfterFunc(ctx, func() { expire(conn) })
	return func() { stop() }
}
