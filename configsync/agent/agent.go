package agent

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// pulse is how often the agent looks whether nginx lives; it costs two small reads.
const pulse = time.Second

// agent is owned by the loop in Run.
type agent struct {
	cfg      Config
	disk     disk
	nginx    *nginx
	applier  *applier
	client   client
	link     *link
	watcher  *watcher
	outcomes *outcomes
	locks    locks
	loads    *loads
	debt     debt
	orphans  []worker
	live     *live
	lua      luaFit

	desired     string
	reloadEvery time.Duration
	drainFor    time.Duration
	seen        observation
	pristine    *nginxconf.Tree
	loaded      string // the bundle that nginx loaded last, as far as this process knows
	outside     string // digest of the other files, at the last look
	failed      *gateway.ApplyFailure
	failures    int // of the same bundle in a row
	lastTry     time.Time
	retryAt     time.Time // when the failed bundle is tried again
	roomThen    [2]uint64 // free bytes when the disk was full
	fetchAt     time.Time // when a bundle that could not be fetched is asked for again
	fetches     int       // that failed in a row
	lastMaster  int
	lastWorkers []process
	binaryStamp string // tells when the binary is replaced
	lastLua     string // why it did not work, at the last beat
	reported    gateway.NodeReport

	owners  owners
	results []gateway.SettleResult
}

// Run keeps one nginx at what the control plane wants until ctx ends, and leaves nginx
// running then. It returns an error when the node can't be looked after at all: no nginx,
// no configuration file, or another agent on the same folder.
func Run(ctx context.Context, cfg Config) error {
	cfg, err := cfg.complete()
	if err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	a := &agent{cfg: cfg, disk: disk{root: cfg.TreeDir, at: cfg.at, read: newContents()}, client: client{cfg: cfg}}
	if err := a.prepare(ctx); err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	defer a.locks.release()
	if err := cfg.identity.open(); err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	ctx, turnedAway := context.WithCancelCause(ctx)
	defer turnedAway(nil)
	a.failed = a.applier.recover(ctx, a.locks.killed)
	a.observe(ctx)
	a.publish()
	var background sync.WaitGroup
	background.Go(func() { a.watcher.run(ctx) })
	background.Go(func() { turnedAway(a.link.run(ctx)) })
	background.Go(func() { a.outcomes.run(ctx) })
	background.Go(func() { a.live.run(ctx) })
	a.loop(ctx)
	background.Wait()
	if err := context.Cause(ctx); errors.Is(err, errTurnedAway) {
		return err
	}
	return nil
}

// loop decides and acts, one thing at a time.
func (a *agent) loop(ctx context.Context) {
	sweep, beat := time.NewTicker(a.cfg.Sweep), time.NewTicker(pulse)
	a.refresh(ctx)
	defer sweep.Stop()
	defer beat.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	for {
		due.Reset(a.untilDue(time.Now()))
		// ctx ends; the control plane speaks; a file changed; time for a full look; time to
		// see whether nginx lives; a bundle may be applied now.
		select {
		case <-ctx.Done():
			return
		case answer := <-a.link.out:
			a.take(answer)
			if answer.Settle != nil {
				a.settle(ctx, *answer.Settle)
				a.observe(ctx)
				a.publish() // first: what the control plane forgets next stands in the report
				a.link.carried(answer.Settle.Digest)
			}
		case <-a.watcher.out:
			if paths := a.watcher.takeWritten(); len(paths) > 0 {
				a.disk.read.forget(paths...)
			}
			a.observe(ctx)
		case <-sweep.C:
			a.refresh(ctx)
			a.disk.read.forget()
			a.seen.files = nil
			a.observe(ctx)
		case <-beat.C:
			changed := a.beat(ctx)
			if beat.Reset(pulse); len(a.orphans) > 0 {
				beat.Reset(orphanPulse)
			}
			if !changed {
				continue
			}
			a.observe(ctx)
		case <-due.C:
			a.reconcile(ctx)
			a.observe(ctx)
		}
		a.settleFailure()
		a.publish()
	}
}

// publish sends the report when something in it changed.
func (a *agent) publish() {
	r := a.report()
	if reflect.DeepEqual(r, a.reported) {
		return
	}
	a.reported = r
	a.link.publish(r, a.seen.tree)
}
