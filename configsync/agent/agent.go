package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
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
	seen        observation
	pristine    *nginxconf.Tree
	failed      *gateway.ApplyFailure
	failures    int // of the same bundle in a row
	lastTry     time.Time
	retryAt     time.Time // when the failed bundle is tried again
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
	a := &agent{cfg: cfg, disk: disk{root: cfg.TreeDir, at: cfg.at}, client: client{cfg: cfg}}
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

// prepare finds nginx and takes it and the folder for itself.
func (a *agent) prepare(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			a.locks.release()
		}
	}()
	if a.nginx, err = findNginx(ctx, a.cfg); err != nil {
		return err
	}
	if err := a.disk.prepare(); err != nil {
		return err
	}
	if err := a.locks.take(filepath.Join(a.disk.root, "lock"), "the folder "+a.disk.root); err != nil {
		return err
	}
	if err := a.locks.take(confLock(a.nginx.conf), a.nginx.conf); err != nil {
		return err
	}
	if err := a.disk.sweep(a.nginx.conf); err != nil {
		a.cfg.Log.Warn("clean up after the agent's last life", "error", err)
	}
	if err := a.learn(); err != nil {
		return err
	}
	if err := a.locks.take(a.nginx.pidPath+".sluice-lock", "the nginx of "+a.nginx.pidPath); err != nil {
		return err
	}
	a.nginx.listen = nginxconf.DigestListen(gateway.NodeFacts{TreePath: a.disk.link(), DigestListen: a.cfg.DigestListen})
	if len(a.nginx.listen) > len("unix:")+107 {
		return fmt.Errorf("the socket path %q is longer than the 107 bytes that the system allows: choose a shorter tree folder", a.nginx.listen)
	}
	a.loads = readLoads(a.disk.loads())
	a.applier = &applier{cfg: a.cfg, disk: a.disk, nginx: a.nginx, loaded: a.diskIsLoaded, applied: a.noteLoad}
	if a.live, err = newLive(a.cfg, a.disk); err != nil {
		return err
	}
	a.lua = luaFit{live: a.live, reason: "nginx's files are not read yet"}
	a.link = newLink(a.client, a.live.want)
	if a.outcomes, err = newOutcomes(a.cfg, a.disk); err != nil {
		return err
	}
	if a.watcher, err = newWatcher(a.cfg.Log); err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	return nil
}

// learn reads nginx's own configuration for the first time.
func (a *agent) learn() error {
	if strings.HasPrefix(a.nginx.conf, a.disk.link()+"/") {
		return fmt.Errorf("%s lies in the rendered tree: name the nginx.conf that nginx is started with; in fleets of mode full the agent makes it a link into the tree", a.nginx.conf)
	}
	files, err := a.nginx.files(a.disk)
	if err != nil {
		return err
	}
	a.nginx.learn(files, a.disk.link())
	a.nginx.learnMain(a.disk)
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
			}
		case <-a.watcher.out:
			a.observe(ctx)
		case <-sweep.C:
			a.refresh(ctx)
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

// take remembers what the control plane wants.
func (a *agent) take(answer protocol.SyncResponse) {
	a.reloadEvery = answer.ReloadEvery.Std()
	if a.desired != answer.Desired {
		a.cfg.Log.Info("a new bundle is desired", "digest", answer.Desired)
		a.desired, a.failures = answer.Desired, 0
	}
}

// refresh notices an nginx binary that was replaced.
func (a *agent) refresh(ctx context.Context) {
	b, err := readBuild(ctx, a.nginx.binary)
	if err != nil {
		a.cfg.Log.Warn("look at the nginx binary", "error", err)
		return
	}
	if b.version != a.nginx.build.version {
		a.cfg.Log.Info("the nginx binary was replaced", "was", a.nginx.build.version, "is", b.version)
	}
	a.nginx.build = b
	a.nginx.old = nil
	if exe, old, err := a.nginx.replaced(ctx); err == nil && old.version != b.version {
		a.nginx.old, a.nginx.oldExe = &old, exe
	}
}

// beat says whether nginx was started, stopped, replaced or reloaded since the last look.
func (a *agent) beat(ctx context.Context) bool {
	changed := a.seeOrphans()
	if a.nginx.removeLeft(a.live.socket.path) {
		a.cfg.Log.Warn("removed the socket that a killed nginx left behind, so that nginx can start", "socket", a.live.socket.path)
	}
	if a.nginx.removeLeftSocket() {
		a.cfg.Log.Warn("removed the socket that a killed nginx left behind, so that nginx can start", "socket", a.nginx.listen)
	}
	pid := a.nginx.master()
	if stamp := fmt.Sprint(fileStamp(a.nginx.binary), pid); stamp != a.binaryStamp {
		if a.binaryStamp != "" {
			a.refresh(ctx)
			changed = true
		}
		a.binaryStamp = stamp
	}
	accepting, draining := a.nginx.workers()
	var workers []process
	for _, w := range accepting {
		workers = append(workers, process{w.pid, w.start})
	}
	running, _, _ := a.applier.running(ctx) // as in observe
	changed = a.debt.see(accepting, draining, time.Now().UTC()) || changed || pid != a.lastMaster || running != a.seen.running || !slices.Equal(workers, a.lastWorkers) ||
		a.live.version() != a.reported.Live || a.live.failed() != a.lastLua
	a.lastMaster, a.lastWorkers, a.lastLua = pid, workers, a.live.failed()
	return changed || a.cfg.identity.ahead() != a.reported.ClockOff
}

// untilDue is how long to wait before acting on a.desired: nothing to do is an hour. The
// first change after a quiet time is due at once.
func (a *agent) untilDue(now time.Time) time.Duration {
	if a.desired == "" || !a.behind() {
		return time.Hour
	}
	at := now
	if !a.lastTry.IsZero() {
		at = later(at, a.lastTry.Add(a.cfg.Coalesce))
	}
	if !a.applier.lastReload.IsZero() {
		at = later(at, a.applier.lastReload.Add(a.debt.stretch()*a.reloadEvery))
	}
	if a.failed != nil && a.failed.Digest == a.desired {
		at = later(at, a.retryAt)
	}
	return at.Sub(now)
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
		// Nothing was tried on the node, so nothing failed there. The next try is soon.
		a.cfg.Log.Warn("fetch a bundle", "digest", digest, "error", err)
		return
	} else if err := a.settleSets(ctx, tree); err != nil {
		a.cfg.Log.Warn("a bundle waits for the endpoints of its upstreams", "digest", digest, "error", err)
		return
	} else {
		failed = a.applier.apply(ctx, tree)
	}
	if ctx.Err() != nil {
		return
	}
	a.failed = failed
	a.lua.refused(failed)
	if failed == nil {
		a.failures = 0
		a.cfg.Log.Info("nginx runs the bundle", "digest", digest)
		return
	}
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

// publish sends the report when something in it changed.
func (a *agent) publish() {
	r := a.report()
	if reflect.DeepEqual(r, a.reported) {
		return
	}
	a.reported = r
	a.link.publish(r, a.seen.tree)
}
