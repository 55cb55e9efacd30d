package control

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Config of a Loop. The zero value of each field is its default.
type Config struct {
	// Interval is the shortest time between two snapshots. Default 20ms. Longer ones save
	// work in bursts and delay what follows a first change.
	Interval time.Duration
	// Static gives the endpoint sets that follow from the specs alone (endpoints by hand).
	// Default: none.
	Static func([]*gateway.Upstream) []gateway.EndpointSet
	// Between is called before a snapshot is handed to a further subscriber: a place to let more
	// urgent work go first. Default: nothing is done.
	Between func()
	Log     *slog.Logger
}

// Loop owns the inputs. Its methods may be called from any goroutine; snapshots are made by
// the one that calls Run.
type Loop struct {
	cfg    Config
	live   atomic.Pointer[gateway.Snapshot]
	wake   chan struct{} // one slot: something is dirty
	expiry *time.Timer   // wakes Run when an override or a certificate expires; owned by Run

	mu      sync.Mutex
	in      *inputs
	started bool // the first whole set of objects has arrived
	full    bool // everything must be decided again
	making  bool // a snapshot is being made of what was dirty
	dirty   map[gateway.UpstreamKey]bool
	derived derived

	subs subscribers
}

// New returns a loop with an empty snapshot of generation 0.
func New(cfg Config) *Loop {
	cfg.Interval = cmp.Or(cfg.Interval, 20*time.Millisecond)
	if cfg.Static == nil {
		cfg.Static = func([]*gateway.Upstream) []gateway.EndpointSet { return nil }
	}
	if cfg.Between == nil {
		cfg.Between = func() {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l := &Loop{cfg: cfg, wake: make(chan struct{}, 1), in: newInputs(), dirty: map[gateway.UpstreamKey]bool{}}
	l.live.Store(gateway.Build(gateway.Inputs{}, 0))
	return l
}

// Snapshot is the newest one; never nil. Generation 0 is the empty one before the first set
// of objects has arrived.
func (l *Loop) Snapshot() *gateway.Snapshot { return l.live.Load() }

// SetObjects replaces all intent: the first set, or a resync.
func (l *Loop) SetObjects(objects []gateway.Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.in.objects)
	for _, o := range l.derived.join(objects) {
		l.in.objects[o.Head().Ref()] = o
	}
	l.in.prune()
	l.started, l.full = true, true
	l.poke()
}

// Change applies changes of intent as they come from the store.
func (l *Loop) Change(changes []gateway.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apply(l.derived.over(changes, false))
}

// apply takes changes into the inputs; the caller holds mu.
func (l *Loop) apply(changes []gateway.Change) {
	for _, c := range changes {
		if k, only := l.in.change(c); only {
			l.dirty[k] = true
		} else {
			l.full = true
		}
	}
	if l.full {
		l.in.prune()
	}
	l.poke()
}

// SetEndpoints takes a whole set from a source. A set equal to the one before changes
// nothing.
func (l *Loop) SetEndpoints(s gateway.EndpointSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.in.setEndpoints(s) {
		l.dirty[s.Upstream] = true
		l.poke()
	}
}

// SetVerdicts takes transitions from health.
func (l *Loop) SetVerdicts(verdicts []gateway.Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range verdicts {
		l.in.setVerdict(v)
		l.dirty[v.Upstream] = true
	}
	l.poke()
}

// poke wakes Run; the caller holds mu.
func (l *Loop) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// DryRun decides as if the changes were made to the inputs of this moment, and publishes
// nothing.
func (l *Loop) DryRun(_ context.Context, changes []gateway.Change) (*gateway.Snapshot, error) {
	l.mu.Lock()
	in := l.in.clone()
	dirty, some := map[gateway.UpstreamKey]bool{}, !l.full && !l.making // else what is in service lacks more than the changes
	for _, c := range l.derived.over(changes, true) {
		k, only := in.change(c)
		dirty[k] = true
		some = some && only
	}
	if some {
		maps.Copy(dirty, l.dirty)
		replacements := in.replacements(l.cfg.Static, dirty)
		l.mu.Unlock()
		prev := l.Snapshot()
		return gateway.ReplaceUpstreams(prev, replacements, prev.Generation), nil
	}
	now := time.Now()
	given, _ := in.gateway(l.cfg.Static, now)
	l.mu.Unlock()
	given.Now, given.Before = now, l.Snapshot()
	return gateway.Build(given, l.Snapshot().Generation), nil
}

// Run makes snapshots until ctx ends. Call it once.
func (l *Loop) Run(ctx context.Context) error {
	l.expiry = time.NewTimer(time.Hour)
	defer l.expiry.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	// Three things wake the loop: the end of ctx, a change, and an override that expires.
	// After a snapshot it waits out the pause before it looks for the next change, so a
	// burst is one snapshot every interval and a lone change is never delayed.
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		case <-l.expiry.C:
			l.mu.Lock()
			l.full = true
			l.mu.Unlock()
		}
		if !l.step(time.Now()) {
			continue
		}
		pause.Reset(l.cfg.Interval)
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

// step makes and publishes a snapshot when something is dirty.
func (l *Loop) step(now time.Time) bool {
	next := l.decide(now)
	if next == nil {
		return false
	}
	took := time.Since(now)
	l.live.Store(next)
	l.mu.Lock()
	l.making = false
	l.mu.Unlock()
	l.subs.publish(next, l.cfg.Between)
	l.cfg.Log.Debug("snapshot", "generation", next.Generation, "digest", next.Digest, "problems", len(next.Problems), "took", took)
	return true
}

func (l *Loop) decide(now time.Time) *gateway.Snapshot {
	prev := l.Snapshot()
	l.mu.Lock()
	if !l.started || !l.full && len(l.dirty) == 0 {
		l.mu.Unlock()
		return nil
	}
	if !l.full {
		some := l.in.replacements(l.cfg.Static, l.dirty)
		clear(l.dirty)
		l.making = some != nil
		l.mu.Unlock()
		if some == nil {
			return nil
		}
		return gateway.ReplaceUpstreams(prev, some, prev.Generation+1)
	}
	given, nextExpiry := l.in.gateway(l.cfg.Static, now)
	l.full, l.making = false, true
	clear(l.dirty)
	l.mu.Unlock()
	given.Now, given.Before = now, prev
	s := gateway.Build(given, prev.Generation+1)
	if nextExpiry.IsZero() || !s.Next.IsZero() && s.Next.Before(nextExpiry) {
		nextExpiry = s.Next
	}
	if !nextExpiry.IsZero() {
		l.expiry.Reset(nextExpiry.Sub(now))
	}
	return s
}

// subscribers hands the newest snapshot to each subscriber without ever waiting for one.
type subscribers struct {
	mu  sync.Mutex
	all []chan *gateway.Snapshot
}

// Subscribe returns a channel that carries every new snapshot, or only the newest when the
// receiver is slow. It starts with the current one. Call cancel when done.
func (l *Loop) Subscribe() (snapshots <-chan *gateway.Snapshot, cancel func()) {
	ch := make(chan *gateway.Snapshot, 1)
	l.subs.mu.Lock()
	defer l.subs.mu.Unlock()
	if s := l.Snapshot(); s.Generation > 0 {
		ch <- s
	}
	l.subs.all = append(l.subs.all, ch)
	return ch, func() {
		l.subs.mu.Lock()
		defer l.subs.mu.Unlock()
		l.subs.all = slices.DeleteFunc(l.subs.all, func(c chan *gateway.Snapshot) bool { return c == ch })
	}
}

func (s *subscribers) publish(next *gateway.Snapshot, between func()) {
	s.mu.Lock()
	all := slices.Clone(s.all)
	s.mu.Unlock()
	for i, ch := range all {
		if i > 0 {
			between()
		}
		select { // take out an older one that nobody has fetched
		case <-ch:
		default:
		}
		ch <- next
	}
}

// Feed calls apply with each new snapshot until ctx ends: the newest one only, when apply is
// slow.
func (l *Loop) Feed(ctx context.Context, apply func(*gateway.Snapshot)) error {
	snapshots, cancel := l.Subscribe()
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-snapshots:
			apply(s)
		}
	}
}
