package health

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Config is what a Health needs.
type Config struct {
	// Node names this node in the evidence of verdicts and in logs.
	Node string
	// Report is called with verdicts that have changed, in the order in which they did, by
	// the goroutine of Run and never by two at once. An endpoint that was removed is
	// reported once as unknown (RuleRemoved): the receiver may drop what it holds.
	// Nil: nobody is told.
	Report func([]gateway.Verdict)
	// PassiveOnly leaves out probes: it judges the outcomes of others' requests, such as those
	// of a fleet's nginx nodes.
	PassiveOnly bool
	// Archive keeps events beyond the process, and Earlier are those that it had. Default: they
	// are in memory only.
	Archive *Archive
	Earlier []gateway.HealthEvent
	// Log gets one line per transition. Default: slog.Default().
	Log *slog.Logger
}

// Health judges all endpoints of all upstreams. Outcomes and probe results change a
// [Tracker] under its upstream's lock, for microseconds and without I/O; transitions wait in
// an outbox for the goroutine of Run, which logs and reports them.
type Health struct {
	cfg    Config
	prober *Prober
	outbox outbox
	ledger *ledger
	// unmatched counts outcomes of endpoints that no snapshot names any more.
	unmatched atomic.Uint64
	self      *self

	// live is read by every outcome, and replaced when upstreams come or go.
	live atomic.Pointer[map[gateway.UpstreamKey]*upstream]

	mu           sync.Mutex                      // one Apply at a time
	upstreams    []*gateway.EffectiveUpstream    // guarded by mu; of the last snapshot, as the next
	certificates []*gateway.EffectiveCertificate // guarded by mu
}

// New returns a Health without upstreams.
func New(cfg Config) *Health {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	h := &Health{cfg: cfg, ledger: newLedger()}
	h.ledger.archive = cfg.Archive
	h.ledger.restore(cfg.Earlier)
	h.cfg.Earlier = nil
	h.outbox.init()
	h.prober = NewProber(h.probed)
	h.self = newSelf(cfg.Log)
	h.live.Store(&map[gateway.UpstreamKey]*upstream{})
	return h
}

// Apply makes the snapshot's upstreams the ones that are judged. Upstreams whose checks and
// endpoints are as before are not touched, and what is known about endpoints that stay is
// kept.
func (h *Health) Apply(s *gateway.Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, live := time.Now(), *h.live.Load()
	own := false // live is a copy that may be changed
	var touched []*gateway.EffectiveUpstream
	var gone []*upstream
	for was, is := range gateway.Differing(h.upstreams, s.Upstreams, gateway.CompareUpstreams) {
		if !own && (was == nil || is == nil) {
			live, own = maps.Clone(live), true
		}
		switch {
		case is == nil:
			gone = append(gone, live[was.Key])
			delete(live, was.Key)
			continue
		case was == nil:
			live[is.Key] = newUpstream(NewTracker(is.Key, h.cfg.Node, rand.Float64), h.ledger)
		}
		touched = append(touched, is)
	}
	if !slices.Equal(h.certificates, s.Certificates) {
		touched = s.Upstreams // probes show them
	}
	h.upstreams, h.certificates = s.Upstreams, s.Certificates
	// Published before the trackers are configured: an outcome that comes in between finds
	// no endpoint yet and is ignored, which is right for an endpoint that is just starting.
	h.live.Store(&live)
	for _, eu := range touched {
		live[eu.Key].configure(now, h.judgedOf(eu), secureOf(eu, s), h.prober, &h.outbox)
	}
	for _, u := range gone {
		u.remove(now, h.prober, &h.outbox)
	}
}

// judgedOf is the upstream as it is judged here.
func (h *Health) judgedOf(eu *gateway.EffectiveUpstream) *gateway.EffectiveUpstream {
	if !h.cfg.PassiveOnly || eu.Health.Active == nil {
		return eu
	}
	passive := *eu
	passive.Health.Active = nil
	return &passive
}

// Observe takes in the outcome of an exchange. It never waits for I/O or for Run, drops
// nothing, and costs a success on a healthy endpoint two lookups, an atomic addition and a store.
func (h *Health) Observe(o gateway.Outcome) {
	h.self.listen(&o)
	u := (*h.live.Load())[o.Upstream]
	if u == nil {
		h.unmatched.Add(1)
		return
	}
	c := u.cell(o.Address)
	if c == nil {
		h.unmatched.Add(1)
		return
	}
	if c.quiet.Load() && o.Failure == "" && o.Status < 500 {
		if o.Status != 0 || o.Connected {
			c.succeeded(&o)
		}
		return
	}
	if o.At.IsZero() {
		o.At = time.Now()
	}
	if h.self.request(&o, h.self.now()) {
		return
	}
	u.request(time.Now(), o, &h.outbox)
}

// probed takes in a probe's result. See [Prober].
func (h *Health) probed(ctx context.Context, t Target, r Result) (unsettled bool) {
	u := (*h.live.Load())[t.Upstream]
	if u == nil {
		return false
	}
	if ctx.Err() != nil {
		return false
	}
	if h.self.probe(t.EndpointKey, r, t.Check.Interval.Std()+t.Check.Timeout.Std(), len(*h.live.Load()) == 1, h.self.now()) {
		return !h.self.cut.Load()
	}
	return u.probe(ctx, time.Now(), t.Address, r, &h.outbox)
}

// Verdicts lists the present verdict of every endpoint, sorted by upstream and address.
func (h *Health) Verdicts() []gateway.Verdict {
	var all []gateway.Verdict
	for _, u := range h.sorted() {
		all = append(all, u.verdicts()...)
	}
	return all
}

// Verdict is the present verdict of an endpoint, or says that it is not judged.
func (h *Health) Verdict(k gateway.EndpointKey) (gateway.Verdict, bool) {
	u := (*h.live.Load())[k.Upstream]
	if u == nil {
		return gateway.Verdict{}, false
	}
	return u.verdict(k.Address)
}

// Upstreams sums up every upstream, sorted by key.
func (h *Health) Upstreams() []gateway.UpstreamHealth {
	now := time.Now()
	var all []gateway.UpstreamHealth
	for _, u := range h.sorted() {
		all = append(all, u.health(now))
	}
	return all
}

// Upstream sums up one upstream, or says that there is none of that name.
func (h *Health) Upstream(k gateway.UpstreamKey) (gateway.UpstreamHealth, bool) {
	u := (*h.live.Load())[k]
	if u == nil {
		return gateway.UpstreamHealth{}, false
	}
	return u.health(time.Now()), true
}

// History returns what has happened, newest first.
func (h *Health) History(q gateway.HealthQuery) []gateway.HealthEvent {
	return h.ledger.history(time.Now(), q)
}

// Problems are the upstreams that are bad as a whole, for their owners.
func (h *Health) Problems() []gateway.Problem { return h.ledger.problems() }

// badServices are the events with which upstreams turned bad as a whole that are so now, by
// upstream.
func (h *Health) badServices() []gateway.HealthEvent { return h.ledger.badServices() }

// Subscribe returns a channel that carries every event from now on. It holds so many of them;
// when the receiver is slower, the oldest are dropped, and the number of those that were is
// on the metric. Call cancel when done.
func (h *Health) Subscribe(room int) (events <-chan gateway.HealthEvent, cancel func()) {
	return h.ledger.subscribe(room)
}

// sorted lists the upstreams by key.
func (h *Health) sorted() []*upstream {
	live := *h.live.Load()
	us := make([]*upstream, 0, len(live))
	for _, u := range live {
		us = append(us, u)
	}
	slices.SortFunc(us, func(a, b *upstream) int { return a.key.Compare(b.key) })
	return us
}
