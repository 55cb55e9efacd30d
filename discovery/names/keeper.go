package names

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-gateway/sluice/gateway"
)

// Config of a [Keeper]. Every field but Log is needed.
type Config struct {
	Rule   Rule
	Target Target
	// Grace is how long a service has to be gone before its name is withdrawn.
	Grace     time.Duration
	Announcer Announcer
	State     State
	// Complete says whether every source of services has spoken and can be reached.
	Complete func() bool
	// Lead calls work while this process is the one to announce, and again each time that it
	// becomes so. work's context ends when it is not any more. Lead returns when ctx ends.
	Lead func(ctx context.Context, work func(context.Context) error) error
	// Log defaults to slog.Default().
	Log *slog.Logger
}

// The pauses between attempts, and how many calls are made at a time.
const (
	firstPause   = time.Second
	longestPause = 5 * time.Minute
	takenPause   = time.Hour
	lookEvery    = 2 * time.Second // at what no message tells: completeness and time
	parallel     = 8
)

// Keeper keeps the announced names in step with the services. It has a lock around what Run
// shares with Apply and with those who ask.
type Keeper struct {
	cfg  Config
	told chan struct{} // one slot: the services have changed

	mu       sync.Mutex
	seen     view
	services map[string]Service // by host
	leading  bool
	records  map[string]Record
	failing  map[string]failure
	broken   error // of the state
	calls    map[call]uint64
}

// failure is why the call for a host has not been made.
type failure struct {
	err    error
	record Record // as it was tried
	next   time.Time
	pause  time.Duration
}

// New returns a keeper. It starts nothing.
func New(cfg Config) *Keeper {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Keeper{cfg: cfg, told: make(chan struct{}, 1), calls: map[call]uint64{}}
}

// Apply takes the services from a snapshot. It does not block.
func (k *Keeper) Apply(s *gateway.Snapshot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.seen.takes(s) {
		return
	}
	k.services = Assign(k.cfg.Rule, s).Services
	select {
	case k.told <- struct{}{}:
	default:
	}
}

// Run announces whenever it is this process's turn, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error { return k.cfg.Lead(ctx, k.work) }

func (k *Keeper) work(ctx context.Context) error {
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.leading, k.records, k.failing = false, nil, nil
	}()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		records, err := k.cfg.State.Load(ctx)
		k.loaded(records, err)
		if err == nil {
			break
		}
		k.cfg.Log.Warn("announced names cannot be read", "error", err, "pause", pause)
		if !k.wait(ctx, pause) {
			return nil
		}
	}
	for {
		k.round(ctx)
		if !k.wait(ctx, lookEvery) {
			return nil
		}
	}
}

func (k *Keeper) loaded(records []Record, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broken = err
	if err != nil {
		return
	}
	k.leading, k.records, k.failing = true, map[string]Record{}, map[string]failure{}
	for _, r := range records {
		k.records[r.Host] = r
	}
}

// wait sleeps, or less when the services change. It is false when ctx has ended.
func (k *Keeper) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-k.told:
	case <-timer.C:
	}
	return ctx.Err() == nil
}

// round plans and does what is due.
func (k *Keeper) round(ctx context.Context) {
	complete, now := k.cfg.Complete(), time.Now()
	k.mu.Lock()
	if !k.seen.once {
		k.mu.Unlock()
		return
	}
	steps := Plan(Input{Target: k.cfg.Target, Grace: k.cfg.Grace, Services: k.services, Complete: complete, Known: k.records, Now: now})
	steps = slices.DeleteFunc(steps, func(s Step) bool {
		f, failed := k.failing[s.Host]
		return failed && f.record.Phase == s.Phase && f.record.Target.equal(s.Target) && (f.next.IsZero() || now.Before(f.next))
	})
	k.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, s := range steps {
		g.Go(func() error {
			k.done(ctx, s.Record, k.do(ctx, s.Record))
			return nil
		})
	}
	_ = g.Wait() // no step returns an error: each is noted with its host
}

// do makes one step: write down what is to be done, do it, write down that it is done.
func (k *Keeper) do(ctx context.Context, r Record) error {
	k.mu.Lock()
	known := k.records[r.Host]
	k.mu.Unlock()
	if known.Phase == r.Phase && r.Phase != Announced && known.Target.equal(r.Target) {
		r.Since = known.Since // a repetition
	} else if err := k.save(ctx, r); err != nil {
		return err
	}
	switch r.Phase {
	case Announcing:
		if err := k.counted(r.Phase, k.cfg.Announcer.Announce(ctx, r)); err != nil {
			return err
		}
		k.cfg.Log.Info("name announced", "host", r.Host, "service", r.Service.Namespace+"/"+r.Service.Service)
		r.Phase = Announced
		return k.save(ctx, r)
	case Withdrawing:
		if err := k.counted(r.Phase, k.cfg.Announcer.Withdraw(ctx, r)); err != nil {
			return err
		}
		k.cfg.Log.Info("name withdrawn", "host", r.Host, "service", r.Service.Namespace+"/"+r.Service.Service)
		return k.forget(ctx, r.Host)
	}
	return nil
}

func (k *Keeper) save(ctx context.Context, r Record) error {
	if err := k.cfg.State.Save(ctx, r); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.records[r.Host] = r
	return nil
}

func (k *Keeper) forget(ctx context.Context, host string) error {
	if err := k.cfg.State.Forget(ctx, host); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.records, host)
	return nil
}

// done notes how a step went, and when the next attempt is.
func (k *Keeper) done(ctx context.Context, r Record, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil || ctx.Err() != nil {
		delete(k.failing, r.Host)
		return
	}
	before, again := k.failing[r.Host]
	f := failure{err: err, record: r, pause: firstPause}
	if again && before.record.Phase == r.Phase {
		f.pause = min(2*before.pause, longestPause)
	}
	switch {
	case errors.Is(err, ErrRejected):
		f.next = time.Time{} // not again
	case errors.Is(err, ErrTaken):
		f.next = time.Now().Add(takenPause)
	default:
		f.next = time.Now().Add(f.pause/2 + rand.N(f.pause/2))
	}
	k.failing[r.Host] = f
	if !again {
		k.cfg.Log.Warn("name cannot be announced", "host", r.Host, "phase", string(r.Phase), "error", err)
	}
}
