package health

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// beatEvery is how often the heart beats, and longestGap what two beats may be apart before
	// this process counts as having been paused.
	beatEvery, longestGap = 250 * time.Millisecond, 750 * time.Millisecond
	// grace is how long the failed requests of one endpoint are void while nobody is heard: by
	// then its siblings have failed too, if it is the edge's fault, and nobody is ejected who has
	// no better sibling.
	grace = 3 * time.Second
	// settling is how long failures are void after the edge was cut off: machines are found again
	// one after the other.
	settling = 3 * time.Second
	// rowsKept is how long the silence of an endpoint is remembered that is not probed any more.
	rowsKept = 10 * time.Minute
)

// self doubts this edge before it blames endpoints, for two reasons. The process may have been
// paused (stopped, starved of processors, a suspended machine): then every timeout that ran out
// meanwhile is its own. And its network may be gone: then nobody answers any more, of any
// upstream. Failures of that kind are void, that is, nobody judges by them.
//
// Times are nanoseconds since base, on the monotonic clock.
type self struct {
	log  *slog.Logger
	base time.Time

	beat   atomic.Int64 // of the heart, the latest; 0: it does not beat
	woke   atomic.Int64 // what began before this moment and failed says nothing
	heard  atomic.Int64 // when an endpoint gave a sign of life, as far as that was noted
	asking atomic.Bool  // a sign of life by a request would be news
	silent atomic.Int64 // len(rows)
	cut    atomic.Bool  // written under mu

	mu       sync.Mutex
	rows     map[gateway.EndpointKey]row // guarded by mu; the endpoints that are silent to probes
	calls    map[gateway.EndpointKey]row // guarded by mu; those that are silent to requests
	darkness darkness                    // guarded by mu

	paused, voidPaused, voidCut atomic.Uint64
}

// row is of failures without a sign of the other side.
type row struct{ first, last int64 } // when they ended

// darkness is what was seen since the latest sign of life.
type darkness struct {
	after, began   int64
	one            gateway.EndpointKey // that has been silent
	upstream, host bool                // another one of those has been silent too
}

func newSelf(log *slog.Logger) *self {
	return &self{log: log, base: time.Now(), rows: map[gateway.EndpointKey]row{}, calls: map[gateway.EndpointKey]row{}}
}

func (s *self) now() int64 { return int64(time.Since(s.base)) }

// run is the heart. It ends with ctx.
func (s *self) run(ctx context.Context) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	s.beat.Store(s.now())
	for {
		select {
		case <-ctx.Done():
			s.beat.Store(0)
			return
		case <-ticker.C:
			s.feel(s.now())
			s.prune(s.now())
		}
	}
}

// feel notices a pause. A failure calls it too, since it may be there before the heart beats.
func (s *self) feel(now int64) {
	was := s.beat.Load()
	if was == 0 || now <= was {
		return
	}
	gap := time.Duration(now - was)
	if gap > longestGap {
		s.woke.Store(now) // before the beat: whoever sees the beat sees this
	}
	if s.beat.CompareAndSwap(was, now) && gap > longestGap {
		s.paused.Add(1)
		s.log.Warn("this process was paused: no failure of that time counts", "paused", gap.Round(time.Millisecond))
	}
}

// listen takes the sign of life out of an outcome, while that would be news.
func (s *self) listen(o *gateway.Outcome) {
	if o.Status != 0 && s.asking.Load() {
		s.alive(int64(o.At.Sub(s.base)))
	}
}

// request says whether the outcome is void. A 502 never is: the endpoint has answered.
func (s *self) request(o *gateway.Outcome, now int64) (void bool) {
	if o.Failure == "" {
		return false
	}
	s.feel(now)
	switch {
	case int64(o.At.Add(-o.Latency).Sub(s.base)) < s.woke.Load():
		s.voidPaused.Add(1)
		return true
	case o.Status == 0 && (o.Failure == gateway.FailureConnect || o.Failure == gateway.FailureTimeout):
		return s.unheard(o.EndpointKey, now)
	}
	return false
}

// unheard says whether a request that failed without any answer is void: while the edge is cut
// off, and when nobody at all was heard since the endpoint's failure before, for a while.
func (s *self) unheard(k gateway.EndpointKey, now int64) (void bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	is, known := s.calls[k]
	if !known || now-is.last > int64(recently) {
		is = row{first: now, last: now}
	}
	fresh := s.heard.Load() > is.last
	if fresh {
		is.first = now
	}
	is.last = now
	s.calls[k] = is
	s.asking.Store(true)
	if !s.cut.Load() && (fresh || now-is.first > int64(grace)) {
		return false
	}
	s.voidCut.Add(1)
	return true
}

// probe says whether the result is void. The first failure without a sign of the other side
// counts if somebody else was heard during the probe, the next ones if somebody was heard since:
// what was under way when the edge was cut off is one probe of each endpoint, and one is not
// enough for a verdict. Patience is how long the others may take; then every upstream of the same
// pace was probed. Alone says that there is no other upstream, so that nothing tells an edge that
// is cut off from a service that is away.
func (s *self) probe(k gateway.EndpointKey, r Result, patience time.Duration, alone bool, now int64) (void bool) {
	if r.Err == "" {
		s.answered(k, now)
		return false
	}
	s.feel(now)
	began := now - int64(r.Latency)
	if began < s.woke.Load() {
		s.voidPaused.Add(1)
		return true
	}
	if !r.Silent {
		s.answered(k, now)
		return false
	}
	if alone {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	is, known := s.rows[k]
	since := is.first
	if !known {
		is.first, since = now, began
	}
	is.last = now
	s.rows[k] = is
	s.silent.Store(int64(len(s.rows)))
	if s.heard.Load() > since {
		return false
	}
	s.asking.Store(true)
	s.note(k, now)
	if !s.cut.Load() && now-since > int64(patience) {
		return false
	}
	s.voidCut.Add(1)
	return true
}

// note looks whether several upstreams on several machines are silent, and nobody has been heard
// meanwhile. Holds mu.
func (s *self) note(k gateway.EndpointKey, now int64) {
	d := &s.darkness
	if heard := s.heard.Load(); d.one.Address == "" || d.after != heard {
		*d = darkness{after: heard, began: now, one: k}
	}
	d.upstream = d.upstream || k.Upstream != d.one.Upstream
	d.host = d.host || hostOf(k.Address) != hostOf(d.one.Address)
	if d.upstream && d.host && s.cut.CompareAndSwap(false, true) {
		s.log.Warn("no endpoint of any upstream answers probes: this edge may be cut off, so nobody is blamed")
	}
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// answered notes a sign of life by a probe.
func (s *self) answered(k gateway.EndpointKey, now int64) {
	s.alive(now)
	if s.silent.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, k)
	s.silent.Store(int64(len(s.rows)))
}

// alive notes a sign of life at a moment. What was under way while the edge was cut off is void,
// as after a pause, and so is what fails while the network settles.
func (s *self) alive(at int64) {
	if at <= s.heard.Load() {
		return
	}
	s.heard.Store(at)
	if !s.asking.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at < s.darkness.began {
		return // it comes late: from before the silence
	}
	s.asking.Store(false)
	if s.cut.CompareAndSwap(true, false) {
		s.woke.Store(s.now() + int64(settling))
		clear(s.rows)
		s.silent.Store(0)
		s.log.Info("endpoints answer again: this edge is not cut off any more")
	}
}

// prune forgets endpoints that have not been probed for long, which are gone.
func (s *self) prune(now int64) {
	if now%int64(time.Minute) >= int64(beatEvery) {
		return // once a minute is enough
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := func(_ gateway.EndpointKey, r row) bool { return now-r.last > int64(rowsKept) }
	maps.DeleteFunc(s.rows, old)
	maps.DeleteFunc(s.calls, old)
	s.silent.Store(int64(len(s.rows)))
}

// silence says whether a probe failed without any sign of the other side: a connection that is
// refused or reset, and an answer of any kind, show that the way is there.
func silence(ctx context.Context, err error) bool {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	for _, e := range []error{syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.ETIMEDOUT,
		syscall.EADDRNOTAVAIL, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
