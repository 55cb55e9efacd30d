package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
)

// Run serves until ctx ends or a part fails, and then shuts down in order: say not ready,
// let requests finish, stop the API, stop the loops, close the store.
func (a *App) Run(ctx context.Context) error {
	defer a.Close()
	work, stop := context.WithCancel(context.Background())
	defer stop()
	g, work := errgroup.WithContext(work)
	run := func(f func(context.Context) error) { g.Go(func() error { return f(work) }) }
	run(a.reach)
	run(a.keep)
	run(a.whenStored(a.follow))
	run(a.loop.Run)
	run(a.sources.Run)
	for _, c := range a.ingress {
		run(c.Run)
	}
	run(a.health.Run)
	run(a.alerts.Run)
	run(a.observe.Run)
	run(a.whenStored(a.shareSights))
	run(a.whenStored(a.shareAlerts))
	run(a.whenStored(a.fleets.Run))
	run(a.whenStored(a.objects.Run))
	run(a.watchReady)
	run(a.settle)
	run(func(ctx context.Context) error { return a.loop.Feed(ctx, a.applied) })
	run(func(ctx context.Context) error { return a.loop.Feed(ctx, a.ingress.Apply) })
	run(func(ctx context.Context) error { return a.loop.Feed(ctx, a.health.Apply) })
	run(a.routeNames)
	run(a.logged.Run)
	run(func(ctx context.Context) error { return a.loop.Feed(ctx, a.logged.Apply) })
	run(a.mirror)
	run(a.whenStored(a.announce))
	for _, e := range a.edges {
		g.Go(func() error { return a.proxy.Serve(e.ln, e.cfg) })
		if e.files != nil {
			run(func(ctx context.Context) error { return e.files.Run(ctx, time.Second) })
		}
	}
	run(a.whenStored(a.shareTickets))
	g.Go(a.admin.serve)
	g.Go(a.ops.serve)
	if a.agents != nil {
		run(a.whenStored(a.authorise))
		run(a.whenStored(a.keepRoster))
		g.Go(a.agents.serve)
	}
	a.log.Info("sluice serves", "node", a.cfg.Node, "version", version, "http", a.edges[0].ln.Addr().String(),
		"admin", a.admin.url(), "ops", a.ops.ln.Addr().String())
	select {
	case <-ctx.Done():
		a.log.Info("shutting down", "grace", a.cfg.Shutdown.Grace.Std())
	case <-work.Done():
	}
	a.shutdown()
	stop()
	err := g.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// shutdown lets requests finish while health and control still work.
func (a *App) shutdown() {
	a.ready.end()
	close(a.ending)
	a.fleets.Close()
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.Shutdown.Grace.Std())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.proxy.Shutdown(ctx); err != nil {
			a.log.Warn("requests were cut off at the end of the grace time", "err", err)
		}
	})
	wg.Go(func() { a.admin.shutdown(ctx) })
	if a.agents != nil {
		wg.Go(func() { a.agents.shutdown(ctx) })
	}
	wg.Wait()
	a.ops.shutdown(ctx)
}

// Close frees what NewApp took.
func (a *App) Close() {
	for _, e := range a.edges {
		_ = e.ln.Close()
	}
	for _, s := range []*httpServer{a.admin, a.ops, a.agents} {
		if s != nil {
			_ = s.ln.Close()
		}
	}
	if a.store != nil {
		if err := a.store.Close(); err != nil {
			a.log.Error("close the store", "err", err)
		}
	}
	if a.access != nil {
		_ = a.access.Close()
	}
}

// follow carries what people write from the store to the loop.
func (a *App) follow(ctx context.Context) error {
	err := a.store.Watch(ctx, 0, func(u store.Update) {
		giveWay()
		a.version.take(u)
		if u.Resync {
			var all []gateway.Object
			for _, c := range u.Changes {
				all = append(all, c.Object)
			}
			a.loop.SetObjects(all)
			return
		}
		var changes []gateway.Change
		for _, c := range u.Changes {
			changes = append(changes, gateway.Change{Ref: c.Ref, Object: c.Object})
		}
		a.loop.Change(changes)
	})
	if errors.Is(err, store.ErrClosed) {
		return nil
	}
	return err
}

// judged takes what health has decided: the loop before the guard, which then asks it for less.
func (a *App) judged(verdicts []gateway.Verdict) {
	a.observe.SetVerdicts(verdicts) // first: a fleet follows the majority, and not this node
	a.loop.SetVerdicts(verdicts)
	a.guard.SetVerdicts(verdicts)
}

func (a *App) applied(s *gateway.Snapshot) {
	a.sources.Apply(s) // first, so that whoever sees the generation served knows that sources were asked
	a.guard.Apply(s)
	start := time.Now()
	a.proxy.Apply(s)
	a.ready.served(s, time.Since(start))
}

// mirror feeds the fleets, but not before the sources have spoken: a fleet must not be told
// that its upstreams are empty because this process has just started.
func (a *App) mirror(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-a.ready.complete:
	}
	return a.loop.Feed(ctx, a.fleets.Apply)
}

// watchReady turns ready when the first snapshot is served and every source has sent its
// first sets, or has had its time.
func (a *App) watchReady(ctx context.Context) error {
	var settling settling
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	grace := sourcesGrace
	if !a.copied.IsZero() {
		grace = copyGrace
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		pending := a.ingress.pending()
		if a.router != nil && !a.router.Applied() {
			pending++
		}
		for _, s := range a.sources.Status() {
			pending += s.Pending
		}
		late := time.Since(a.started) > grace
		if a.ready.generation() == 0 || pending > 0 && !late {
			continue
		}
		if pending > 0 {
			a.log.Warn("ready without all sources", "waiting", pending, "after", grace)
		}
		if pending == 0 && !settling.over(a.sources.Status(), a.ready.generation(), time.Now()) {
			continue
		}
		a.ready.begin()
		return nil
	}
}
