package agent

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// take remembers what the control plane wants.
func (a *agent) take(answer protocol.SyncResponse) {
	a.reloadEvery, a.drainFor = answer.ReloadEvery.Std(), answer.Drain.Std()
	if a.desired != answer.Desired {
		a.cfg.Log.Info("a new bundle is desired", "digest", answer.Desired)
		a.desired, a.failures = answer.Desired, 0
	}
	a.fetchAt = time.Time{} // it answers
}

// untilDue is how long to wait before acting on a.desired: nothing to do is an hour. The
// first change after a quiet time is due at once.
func (a *agent) untilDue(now time.Time) time.Duration {
	if a.desired == "" || !a.behind() {
		return time.Hour
	}
	at := now
	if !a.lastTry.IsZero() {
		at = later(at, a.lastTry.Add(a.coalesce()))
	}
	if !a.applier.lastReload.IsZero() {
		at = later(at, a.applier.lastReload.Add(a.debt.stretch()*a.reloadEvery))
	}
	at = later(at, a.fetchAt)
	if a.failed != nil && a.failed.Digest == a.desired {
		at = later(at, a.retryAt)
	}
	return at.Sub(now)
}

// coalesce is for how long changes are collected: not for longer than the fleet wants between two
// reloads, which is who says how fresh nodes have to be.
func (a *agent) coalesce() time.Duration {
	if a.reloadEvery > 0 {
		return min(a.cfg.Coalesce, a.reloadEvery)
	}
	return a.cfg.Coalesce
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// behind says whether disk or nginx differ from what is desired. A stopped nginx is not
// behind: it loads the disk when it starts.
func (a *agent) behind() bool {
	if a.seen.onDisk != a.desired {
		return true
	}
	return a.seen.running != a.desired && a.nginx.master() != 0
}

// reconcile makes one attempt to get to the desired bundle.
func (a *agent) reconcile(ctx context.Context) {
	digest := a.desired
	a.lastTry = time.Now()
	var failed *gateway.ApplyFailure
	if a.seen.onDisk == digest {
		failed = a.applier.reactivate(ctx, digest)
	} else if tree, err := a.client.bundle(ctx, digest, a.facts()); errors.Is(err, errRefused) {
		failed = failure(digest, stepVerifyBundle, err)
	} else if err != nil {
		// Nothing was tried on the node, so nothing failed there.
		a.fetchAt = time.Now().Add(min(time.Second<<min(a.fetches, 4), a.cfg.RetryAfter))
		a.fetches++
		a.cfg.Log.Warn("fetch a bundle", "digest", digest, "error", err)
		return
	} else if err := a.settleSets(ctx, tree); err != nil {
		a.cfg.Log.Warn("a bundle waits for the endpoints of its upstreams", "digest", digest, "error", err)
		return
	} else {
		end := a.drain(ctx, a.drainFor)
		failed = a.applier.apply(ctx, tree)
		end()
	}
	if ctx.Err() != nil {
		return
	}
	a.failed, a.fetches = failed, 0
	a.lua.refused(failed)
	if failed == nil {
		a.failures, a.loaded = 0, digest
		a.cfg.Log.Info("nginx runs the bundle", "digest", digest)
		return
	}
	a.roomThen = a.room()
	a.retryAt = time.Now().Add(min(a.cfg.RetryAfter<<min(a.failures, 4), 10*a.cfg.RetryAfter))
	a.failures++
	a.cfg.Log.Error("a bundle was not applied", "digest", digest, "step", failed.Step, "error", failed.Message, "file", failed.File, "line", failed.Line)
}

// settleSets sees that nginx will have the endpoints of a bundle that has none in its files.
func (a *agent) settleSets(ctx context.Context, tree *nginxconf.Tree) error {
	if tree.File(nginxconf.LuaFile) == nil {
		return nil
	}
	return a.live.settle(ctx)
}

// settleFailure forgets a failure once its bundle runs after all, such as after nginx was
// started, or is not wanted any more and what is wanted runs.
func (a *agent) settleFailure() {
	if a.failed != nil && a.seen.onDisk != "" && a.seen.running == a.seen.onDisk && (a.seen.onDisk == a.failed.Digest || a.seen.onDisk == a.desired) {
		a.failed, a.failures = nil, 0
	}
}
