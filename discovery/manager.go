package discovery

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Config of a [Manager].
type Config struct {
	// Sources by name: kind and configured name, as in "kubernetes/default".
	Sources map[string]Source
	// Out receives every set. It is called from one goroutine per source and should return
	// quickly: a source waits for it.
	Out func(gateway.EndpointSet)
	// Report receives all problems with places that no source can follow, each time they
	// change; an empty list says that they are settled. It may be nil.
	Report func([]gateway.Problem)
	// Others tells of what else follows a system, as controllers of Ingresses do, to be
	// shown and measured with the sources. It may be nil.
	Others func() []SourceStatus
	// Copied is when an earlier process has kept what is in use of sources that have said
	// nothing yet. Zero: nothing was kept.
	Copied time.Time
	// Log defaults to slog.Default().
	Log *slog.Logger
}

// lookEvery is how often the manager looks whether sources are up.
const lookEvery = time.Second

// Manager runs the sources and keeps each of them told what to follow.
type Manager struct {
	cfg     Config
	workers map[string]*worker

	mu        sync.Mutex
	applied   bool
	upstreams []*gateway.EffectiveUpstream // of the last snapshot, only read
	problems  []gateway.Problem
}

// New returns a manager for the sources. It starts nothing.
func New(cfg Config) *Manager {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	m := &Manager{cfg: cfg, workers: make(map[string]*worker, len(cfg.Sources))}
	for name, source := range cfg.Sources {
		m.workers[name] = newWorker(name, source, cfg.Out, cfg.Log.With("source", name))
	}
	return m
}

// Run runs every source until ctx ends. It returns nil when all of them have returned.
func (m *Manager) Run(ctx context.Context) error {
	var running sync.WaitGroup
	for _, w := range m.workers {
		running.Go(func() { w.run(ctx) })
	}
	running.Go(func() { m.watch(ctx) })
	running.Wait()
	return nil
}

// watch notes since when sources are not up.
func (m *Manager) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for now := time.Now(); ; {
		for _, w := range m.workers {
			w.note(now)
		}
		select {
		case <-ctx.Done():
			return
		case now = <-tick.C:
		}
	}
}

// Apply takes the wants from a snapshot. It may be called before Run, and does not block.
func (m *Manager) Apply(s *gateway.Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	unchanged := m.applied && sameWants(m.upstreams, s.Upstreams)
	m.applied, m.upstreams = true, s.Upstreams
	if unchanged {
		return
	}
	wants, problems := wantsOf(s.Upstreams, m.cfg.Sources)
	for name, w := range m.workers {
		w.want(wants[name])
	}
	if slices.Equal(problems, m.problems) {
		return
	}
	m.problems = problems
	if m.cfg.Report != nil {
		m.cfg.Report(slices.Clone(problems))
	}
}

// Problems are those of the last snapshot, sorted.
func (m *Manager) Problems() []gateway.Problem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.problems)
}

// Status tells how each source is, sorted by name.
func (m *Manager) Status() []SourceStatus {
	list := make([]SourceStatus, 0, len(m.workers))
	for _, name := range slices.Sorted(maps.Keys(m.workers)) {
		list = append(list, m.workers[name].status(m.cfg.Copied))
	}
	return list
}

// All is Status with the others, sorted by name.
func (m *Manager) All() []SourceStatus {
	list := m.Status()
	if m.cfg.Others != nil {
		list = append(list, m.cfg.Others()...)
		slices.SortStableFunc(list, func(a, b SourceStatus) int { return cmp.Compare(a.Name, b.Name) })
	}
	return list
}
