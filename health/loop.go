package health

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// outbox holds transitions until Run hands them over, and the times at which trackers want
// to be advanced.
type outbox struct {
	wake chan struct{} // holds one token while there is something new

	mu       sync.Mutex
	verdicts []gateway.Verdict
	due      map[*upstream]time.Time
}

func (b *outbox) init() {
	b.wake = make(chan struct{}, 1)
	b.due = map[*upstream]time.Time{}
}

// put never blocks.
func (b *outbox) put(changed []gateway.Verdict) {
	b.mu.Lock()
	b.verdicts = append(b.verdicts, changed...)
	b.mu.Unlock()
	b.ring()
}

// schedule never blocks. A zero time says that the upstream waits for nothing.
func (b *outbox) schedule(u *upstream, next time.Time) {
	b.mu.Lock()
	if next.IsZero() {
		delete(b.due, u)
	} else {
		b.due[u] = next
	}
	b.mu.Unlock()
	if !next.IsZero() {
		b.ring()
	}
}

func (b *outbox) ring() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take returns the waiting verdicts, the upstreams that are due, and when the next one is.
func (b *outbox) take(now time.Time) (verdicts []gateway.Verdict, due []*upstream, next time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	verdicts, b.verdicts = b.verdicts, nil
	for u, at := range b.due {
		switch {
		case !now.Before(at):
			due = append(due, u)
			delete(b.due, u)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	return verdicts, due, next
}

// Run probes, ends ejections in time, logs and reports, until ctx is done and the last
// probe has ended. It is called once.
func (h *Health) Run(ctx context.Context) error {
	var probes sync.WaitGroup
	probes.Go(func() { _ = h.prober.Run(ctx) }) // its only end is ctx's
	probes.Go(func() { h.self.run(ctx) })
	defer probes.Wait()
	if h.cfg.Archive != nil {
		probes.Go(func() { h.cfg.Archive.run(ctx) })
	}

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		verdicts, due, next := h.outbox.take(time.Now())
		h.announce(verdicts)
		for _, u := range due {
			u.advance(time.Now(), &h.outbox)
		}
		wait := time.Hour
		if !next.IsZero() {
			wait = time.Until(next)
		}
		timer.Reset(wait)
		// The context ends; a transition waits; an ejection is over.
		select {
		case <-ctx.Done():
			return nil
		case <-h.outbox.wake:
		case <-timer.C:
		}
	}
}

// announce logs and reports transitions.
func (h *Health) announce(verdicts []gateway.Verdict) {
	if len(verdicts) == 0 {
		return
	}
	for i := range verdicts {
		h.log(&verdicts[i])
	}
	if h.cfg.Report != nil {
		h.cfg.Report(verdicts)
	}
}

func (h *Health) log(v *gateway.Verdict) {
	level := slog.LevelInfo
	switch {
	case v.State == gateway.StateEjected, v.State == gateway.StateDown:
		level = slog.LevelWarn
	case v.Rule == RuleFirstSuccess, v.Rule == RuleRemoved:
		level = slog.LevelDebug // one per endpoint on every start and deployment
	}
	attrs := []slog.Attr{
		slog.String("tenant", v.Upstream.Tenant), slog.String("upstream", v.Upstream.Name),
		slog.String("endpoint", v.Address), slog.String("node", h.cfg.Node),
		slog.String("verdict", string(v.State)), slog.String("rule", v.Rule), slog.String("reason", v.Reason),
	}
	if !v.Until.IsZero() {
		attrs = append(attrs, slog.Time("until", v.Until))
	}
	h.cfg.Log.LogAttrs(context.Background(), level, "endpoint verdict", attrs...)
}
