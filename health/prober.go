package health

import (
	"context"
	"math/rand/v2"
	"net"
	"reflect"
	"sync"
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
)

// Target is an endpoint with the check that it is probed with.
type Target struct {
	gateway.EndpointKey
	Check gateway.ActiveCheck
	// Secure is set when the endpoint speaks TLS.
	Secure *Secure
	// ProxyProtocol is the upstream's: its endpoints take no connection without a header.
	ProxyProtocol string
}

// Prober probes targets: each one serially, all of them in parallel, so that one that never
// answers delays no other. It owns one goroutine per target, from the later of
// [Prober.Run] and the target's first [Prober.Set] to the earlier of their ends.
type Prober struct {
	// report takes every result and says whether the endpoint is unsettled. The context is
	// done as soon as the target is no longer wanted; the result is then out of date.
	report func(context.Context, Target, Result) (unsettled bool)
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	wg     sync.WaitGroup

	mu      sync.Mutex
	run     context.Context // nil before Run
	ended   bool
	targets map[gateway.UpstreamKey]map[string]*probing
	slot    time.Time // when the next first probe may start
}

// probing is a target that is, or waits to be, probed. Stop is nil until its goroutine
// has started.
type probing struct {
	target Target
	stop   context.CancelFunc
}

// NewProber returns a prober without targets. See [Prober] for report.
func NewProber(report func(context.Context, Target, Result) (unsettled bool)) *Prober {
	return &Prober{
		report:  report,
		dial:    (&net.Dialer{KeepAlive: -1}).DialContext,
		targets: map[gateway.UpstreamKey]map[string]*probing{},
	}
}

// Run starts the probes of all present and future targets and blocks until ctx is done and
// the last probe has ended.
func (p *Prober) Run(ctx context.Context) error {
	p.mu.Lock()
	p.run = ctx
	for _, set := range p.targets {
		for _, t := range set {
			p.start(t)
		}
	}
	p.mu.Unlock()

	<-ctx.Done()
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.wg.Wait()
	return nil
}

// Set replaces the targets of one upstream. Those that stay unchanged go on in their
// rhythm; those that are gone or changed stop at once, in the middle of a probe too.
func (p *Prober) Set(upstream gateway.UpstreamKey, targets []Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, set := p.targets[upstream], make(map[string]*probing, len(targets))
	for _, t := range targets {
		if was := old[t.Address]; was != nil && reflect.DeepEqual(was.target, t) {
			set[t.Address] = was
			delete(old, t.Address)
			continue
		}
		set[t.Address] = &probing{target: t}
	}
	for _, t := range old {
		if t.stop != nil {
			t.stop()
		}
	}
	if len(set) == 0 {
		delete(p.targets, upstream)
		return
	}
	p.targets[upstream] = set
	for _, t := range set {
		p.start(t)
	}
}

// start begins probing a target if Run is on and it has not begun yet. Holds p.mu.
func (p *Prober) start(t *probing) {
	if p.run == nil || p.ended || t.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(p.run)
	t.stop = cancel
	delay := p.firstDelay(time.Now(), t.target.Check.Interval.Std())
	p.wg.Go(func() { p.loop(ctx, t.target, delay) })
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

func (p *Prober) loop(ctx context.Context, t Target, delay time.Duration) {
	once := p.newProbe(t)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		start := time.Now()
		r := p.timed(ctx, t.Check.Timeout.Std(), once)
		if ctx.Err() != nil {
			return
		}
		unsettled := p.report(ctx, t, r)
		timer.Reset(pause(t.Check.Interval.Std(), unsettled, rand.Float64()) - time.Since(start))
	}
}

// timed runs one probe within its time. What does not end in time has failed.
func (p *Prober) timed(ctx context.Context, timeout time.Duration, once probe) Result {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	status, err := once(ctx)
	r := Result{Latency: time.Since(start), Status: status}
	if err != nil {
		r.Err = probeError(ctx, err, timeout)
		r.Silent = silence(ctx, err)
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
