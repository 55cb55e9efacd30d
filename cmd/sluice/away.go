package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/admin"
	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
)

// copyName is the file in the data directory with the last good inputs.
const copyName = "local-copy"

// storePatience is how long a start waits for an etcd cluster before it serves from the local
// copy; the pauses are between further attempts to reach it.
const (
	storePatience = time.Second
	firstRetry    = time.Second
	longestRetry  = 15 * time.Second
)

// opening is an attempt to open the store.
type opening struct {
	store *store.Store
	err   error
}

func (a *App) beginOpening(ctx context.Context) <-chan opening {
	opened := make(chan opening, 1)
	go func() {
		s, err := store.Open(ctx, a.cfg.storeConfig(a.log))
		opened <- opening{s, err}
	}()
	return opened
}

// openStore opens the store. When it is a cluster that can not be reached, and there is a
// local copy, the node serves from that, and reach goes on trying.
func (a *App) openStore(ctx context.Context) error {
	opened := a.beginOpening(ctx)
	kept, err := control.ReadCopy(a.copyFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		a.log.Error("the node starts without its local copy", "err", err)
	default:
		a.copied = kept.SavedAt
	}
	if a.cfg.Store.Etcd == nil || len(kept.Objects) == 0 {
		first := <-opened
		if a.store, err = first.store, errors.Join(first.err, unusable(first.err, err)); err != nil {
			return err
		}
		kept.Objects = control.DerivedOf(kept.Objects) // the store has the others
		a.kept = kept
		close(a.stored)
		return nil
	}
	patience := time.NewTimer(storePatience)
	defer patience.Stop()
	select {
	case first := <-opened:
		switch {
		case first.err == nil:
			a.store = first.store
			kept.Objects = control.DerivedOf(kept.Objects)
			close(a.stored)
		case errors.Is(first.err, store.ErrUnavailable):
			a.log.Warn("the store can not be reached: serving from the local copy", "from", a.copied, "err", first.err)
		default:
			return first.err
		}
	case <-patience.C:
		a.opening = opened
		a.log.Warn("the store does not answer: serving from the local copy", "from", a.copied)
	}
	a.kept = kept
	return nil
}

// unusable adds to a store that can not be reached why the copy was of no help.
func unusable(failed, copied error) error {
	if failed != nil && errors.Is(copied, control.ErrDamaged) {
		return copied
	}
	return nil
}

func (a *App) copyFile() string { return filepath.Join(a.cfg.DataDir, copyName) }

// away says whether the store has not been reached yet.
func (a *App) away() bool {
	select {
	case <-a.stored:
		return false
	default:
		return true
	}
}

// whenStored runs f once the store is there.
func (a *App) whenStored(f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-a.stored:
			return f(ctx)
		}
	}
}

// reach opens the store after a start without it, and then does the rest of the start.
func (a *App) reach(ctx context.Context) error {
	if !a.away() {
		return nil
	}
	for pause := firstRetry; ; pause = min(2*pause, longestRetry) {
		if a.opening == nil {
			a.opening = a.beginOpening(ctx)
		}
		now := <-a.opening // it ends with ctx
		a.opening = nil
		if now.err == nil {
			return a.reached(ctx, now.store)
		}
		if ctx.Err() != nil {
			return nil
		}
		a.log.Warn("the store can still not be reached", "from", a.copied, "retryIn", pause, "err", now.err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func (a *App) reached(ctx context.Context, s *store.Store) error {
	a.store, a.objects.store = s, s
	if err := a.objects.apply(ctx); err != nil {
		a.objects.note(err) // what is served goes on
	}
	if err := a.takeStore(); err != nil {
		return err
	}
	close(a.stored)
	a.log.Info("the store is reached: changes are taken again")
	return nil
}

// takeStore makes what works with the store, which is there.
func (a *App) takeStore() (err error) {
	if err := a.metrics.Register(a.store); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	if a.names, err = a.newNames(); err != nil {
		return err
	}
	if a.names != nil {
		if err := a.metrics.Register(a.names); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	a.takeAgents()
	return a.serveAdmin(admin.Config{Store: adminStore{a.store}, StoreStatus: storeStatus(a.store), Names: a.nameStatus, NameList: a.nameList, Done: a.ending},
		a.nameProblems)
}

// serveAway shows what is served while the store is away. Streams of events end when it comes,
// so that their clients come back to what knows the store.
func (a *App) serveAway() error {
	none, done := awayStore{a}, make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-a.stored:
		case <-a.ending:
		}
	}()
	return a.serveAdmin(admin.Config{Store: none, StoreStatus: none.status, Done: done})
}

// keep writes the local copy, once the inputs are complete.
func (a *App) keep(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-a.ready.complete:
	}
	return a.loop.Keep(ctx, a.copyFile(), func(err error) {
		if err != nil {
			a.log.Error("a start without store and sources would find an old copy", "err", err)
			return
		}
		a.log.Info("the local copy is written again")
	})
}

// lateSource is a source that can not be made before the store is there.
type lateSource struct {
	name  string
	ready <-chan struct{}
	build func() discovery.Source

	mu   sync.Mutex
	real discovery.Source // guarded by mu; nil until ready
}

// Name implements [discovery.Source].
func (l *lateSource) Name() string { return l.name }

// Run implements [discovery.Source].
func (l *lateSource) Run(ctx context.Context, wants <-chan []discovery.Want, out chan<- gateway.EndpointSet) error {
	select {
	case <-ctx.Done():
		return nil
	case <-l.ready:
	}
	l.mu.Lock()
	if l.real == nil {
		l.real = l.build()
	}
	real := l.real
	l.mu.Unlock()
	return real.Run(ctx, wants, out)
}

// Status implements [discovery.Source].
func (l *lateSource) Status() discovery.SourceStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.real == nil {
		return discovery.SourceStatus{Name: l.name, Error: "the store's etcd has not been reached yet"}
	}
	return l.real.Status()
}
