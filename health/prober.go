package health

import (
	"context"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// intervalJitter keeps probes of many endpoints, and of many nodes, from beating in step.
	intervalJitter = 0.1
	// fastest and slowest pace of probes while an endpoint is between up and down.
	fastest, slowestFast = 200 * time.Millisecond, time.Second
	// First probes start at once up to a burst, then one every firstGap, so that a start
	// with thousands of endpoints does not open thousands of connections in one moment.
	firstBurst = 64
	firstGap   = 2 * time.Millisecond
	// slowAnswer is how long a probe takes at least that counts as one that is not answered.
	slowAnswer = time.Second
	// idleWorkers is how many goroutines wait for another probe when theirs is over: their stacks
	// have grown already to what a probe takes, which those of new ones have to, copy by copy.
	idleWorkers = 64
	// maxRoom bounds the probes under way, which are sockets and goroutines.
	maxRoom = 4096
)

// Prober probes targets: each one serially, all of them in parallel, so that one that never
// answers delays no other. One goroutine, that of [Prober.Run], waits for what is due next;
// a probe under way has one, and a target between two probes has none.
type Prober struct {
	// report takes every result and says whether the endpoint is unsettled. The context is
	// done as soon as the target is no longer wanted; the result is then out of date.
	report func(context.Context, Target, Result) (unsettled bool)
	dial   dialFunc
	wake   chan struct{} // holds one token while something is due earlier than Run knows
	wg     sync.WaitGroup

	mu     sync.Mutex
	run    context.Context // nil before Run
	ended  bool
	sets   map[gateway.UpstreamKey]*set
	slot   time.Time // when the next first probe may start
	wheel  *wheel    // nil before Run
	lanes  lanes
	work   chan *probing // for workers that are idle, so that it never is full
	idle   int           // workers that nothing in work is for
	sleeps time.Time     // when Run looks again; zero: when it is woken
}

// NewProber returns a prober without targets. See [Prober] for report.
func NewProber(report func(context.Context, Target, Result) (unsettled bool)) *Prober {
	return &Prober{
		report: report,
		dial:   connect,
		wake:   make(chan struct{}, 1),
		sets:   map[gateway.UpstreamKey]*set{},
		lanes:  lanes{room: room()},
		work:   make(chan *probing, idleWorkers),
	}
}

// room is how many probes may be under way: a quarter of the files that the process may open,
// for the rest are the data path's.
func room() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur/4 > maxRoom {
		return maxRoom
	}
	return max(16, int(files.Cur/4)) //nolint:gosec // at most maxRoom
}

// Run probes all present and future targets and blocks until ctx is done and the last probe
// has ended.
func (p *Prober) Run(ctx context.Context) error {
	p.mu.Lock()
	p.run, p.wheel = ctx, newWheel(time.Now())
	for _, s := range p.sets {
		p.begin(s)
	}
	p.mu.Unlock()

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(p.turn(time.Now()))
		// The context ends; something is due earlier; something is due.
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
	}
	p.end()
	p.wg.Wait()
	return nil
}

// end stops what is under way. Nothing begins after it.
func (p *Prober) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	close(p.work)
	for _, s := range p.sets {
		for _, t := range s.targets {
			if t.span != nil {
				t.span.stop()
			}
		}
	}
}

// turn starts what is due and returns how long there is nothing to do.
func (p *Prober) turn(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wheel.take(now, p.lanes.add)
	p.startAll()
	if p.sleeps = p.wheel.next(); p.sleeps.IsZero() {
		return time.Hour
	}
	return p.sleeps.Sub(now)
}

// Set replaces the targets of one upstream. Those that stay unchanged go on in their
// rhythm; those that are gone or changed stop at once, in the middle of a probe too.
func (p *Prober) Set(upstream gateway.UpstreamKey, targets []Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sets[upstream]
	if s == nil {
		s = &set{}
	}
	old := s.targets
	s.targets = make(map[string]*probing, len(targets))
	known := s.questions
	s.questions = nil
	for _, t := range targets {
		q := s.question(t, known)
		if was := old[t.Address]; was != nil && was.question == q {
			s.targets[t.Address] = was
			delete(old, t.Address)
			continue
		}
		s.targets[t.Address] = &probing{key: t.EndpointKey, question: q, group: &s.group}
	}
	for _, t := range old {
		t.stopped = true
		if t.span != nil {
			t.span.stop()
		}
	}
	p.sets[upstream] = s
	if len(s.targets) == 0 {
		delete(p.sets, upstream)
	}
	p.begin(s)
}

// begin makes the first probes of new targets due if Run is on. Holds p.mu.
func (p *Prober) begin(s *set) {
	if p.run == nil || p.ended {
		return
	}
	now := time.Now()
	for _, t := range s.targets {
		if t.begun {
			continue
		}
		t.begun = true
		if delay := p.firstDelay(now, t.question.check.Interval.Std()); delay > 0 {
			p.put(t, now.Add(delay))
		} else {
			p.lanes.add(t)
		}
	}
	p.startAll()
}

// put makes t due. Holds p.mu.
func (p *Prober) put(t *probing, due time.Time) {
	if at := p.wheel.put(t, due); p.sleeps.IsZero() || at.Before(p.sleeps) {
		p.sleeps = at
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// startAll starts what there is room for. Holds p.mu.
func (p *Prober) startAll() {
	if p.ended {
		return
	}
	for t := p.lanes.start(); t != nil; t = p.lanes.start() {
		t.span = new(span)
		if p.idle > 0 {
			p.idle--
			p.work <- t
			continue
		}
		p.wg.Go(func() { p.worker(t) })
	}
}

// firstDelay hands out the starts of first probes: a burst at once, then one every
// firstGap, but never later than one interval.
func (p *Prober) firstDelay(now time.Time, interval time.Duration) time.Duration {
	if earliest := now.Add(-firstBurst * firstGap); p.slot.Before(earliest) {
		p.slot = earliest
	}
	p.slot = p.slot.Add(firstGap)
	delay := max(p.slot.Sub(now), 0)
	if delay > interval {
		return time.Duration(rand.Float64() * float64(interval))
	}
	return delay
}

// worker makes one probe after the other while there are some, and then waits for more, unless
// enough others do.
func (p *Prober) worker(t *probing) {
	for more := true; more; {
		p.probe(t)
		p.mu.Lock()
		more = p.idle < idleWorkers && !p.ended
		if more {
			p.idle++
		}
		p.mu.Unlock()
		if more {
			t, more = <-p.work
		}
	}
}

// probe asks once, reports, and makes the next probe due.
func (p *Prober) probe(t *probing) {
	start, s := time.Now(), t.span
	check := t.question.check
	r := p.timed(s, t.key.Address, t.question)
	unsettled := s.Err() == nil && p.report(s, t.target(), r)

	p.mu.Lock()
	defer p.mu.Unlock()
	t.span = nil
	p.lanes.done(t, r.Latency >= min(slowAnswer, check.Timeout.Std()))
	if p.run.Err() != nil {
		return
	}
	if !t.stopped {
		p.put(t, start.Add(pause(check.Interval.Std(), unsettled, rand.Float64())))
	}
	p.startAll()
}

// timed runs one probe within its time. What does not end in time has failed.
func (p *Prober) timed(s *span, address string, q *question) Result {
	timeout := q.check.Timeout.Std()
	start := time.Now()
	s.begin(start.Add(timeout))
	defer s.settle()
	status, err := q.probe(s, p.dial, address)
	r := Result{Latency: time.Since(start), Status: status}
	if err != nil {
		r.Err = probeError(s, err, timeout)
		r.Silent = silence(s, err)
	}
	return r
}

// pause is the time from the start of one probe to the start of the next. Jitter is in
// [0, 1). While an endpoint is unsettled the pace is a fifth of the interval, but between
// 200 ms and 1 s, so that the decision does not take several intervals.
func pause(interval time.Duration, unsettled bool, jitter float64) time.Duration {
	if unsettled {
		interval = min(interval, max(fastest, min(interval/5, slowestFast)))
	}
	return interval + time.Duration(float64(interval)*intervalJitter*(2*jitter-1))
}
