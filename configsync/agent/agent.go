package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"syscall"
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
	lastMaster  int
	reported    gateway.NodeReport
}

// Run keeps one nginx at what the control plane wants until ctx ends, and leaves nginx
// running then. It returns an error when the node can't be looked after at all: no nginx,
// no configuration file, or another agent on the same folder.
func Run(ctx context.Context, cfg Config) error {
	cfg, err := cfg.complete()
	if err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	a := &agent{cfg: cfg, disk: disk{root: cfg.TreeDir}, client: client{cfg: cfg}}
	unlock, err := a.prepare(ctx)
	if err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	defer unlock()
	a.failed, err = a.applier.recover(ctx)
	if err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	a.observe(ctx)
	a.publish()
	var background sync.WaitGroup
	background.Go(func() { a.watcher.run(ctx) })
	background.Go(func() { a.link.run(ctx) })
	background.Go(func() { a.outcomes.run(ctx) })
	a.loop(ctx)
	background.Wait()
	return nil
}

// prepare finds nginx and takes the folder for itself.
func (a *agent) prepare(ctx context.Context) (unlock func(), err error) {
	b, err := readBuild(ctx, a.cfg.NginxBinary)
	if err != nil {
		return nil, err
	}
	a.nginx = &nginx{binary: a.cfg.NginxBinary, prefix: a.cfg.NginxPrefix, build: b, conf: b.confPath}
	if a.cfg.NginxConf != "" {
		if a.nginx.conf, err = filepath.Abs(a.cfg.NginxConf); err != nil {
			return nil, err
		}
	}
	files, err := loadFiles(a.nginx.conf)
	if err != nil {
		return nil, err
	}
	a.nginx.learn(files, a.disk.link())
	if err := a.disk.prepare(); err != nil {
		return nil, err
	}
	unlock, err = lockFolder(a.disk.root, a.nginx.conf)
	if err != nil {
		return nil, err
	}
	a.nginx.listen = nginxconf.DigestListen(gateway.NodeFacts{TreePath: a.disk.link(), DigestListen: a.cfg.DigestListen})
	if len(a.nginx.listen) > len("unix:")+107 {
		unlock()
		return nil, fmt.Errorf("the socket path %q is longer than the 107 bytes that the system allows: choose a shorter tree folder", a.nginx.listen)
	}
	a.applier = &applier{cfg: a.cfg, disk: a.disk, nginx: a.nginx}
	a.link = newLink(a.client)
	if a.outcomes, err = newOutcomes(a.cfg, a.disk); err != nil {
		unlock()
		return nil, err
	}
	if a.watcher, err = newWatcher(a.cfg.Log); err != nil {
		unlock()
		return nil, fmt.Errorf("watch files: %w", err)
	}
	return unlock, nil
}

// lockFolder makes sure that one agent owns the folder. The lock ends with the process.
func lockFolder(dir, conf string) (func(), error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(f.Name())
		return nil, errors.Join(fmt.Errorf("another agent (%s) looks after %s with the folder %s: stop it first", holder, conf, dir), f.Close())
	}
	if err := f.Truncate(0); err == nil {
		_, err = fmt.Fprintf(f, "pid %d", os.Getpid())
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return func() { _ = f.Close() }, nil
}

// loop decides and acts, one thing at a time.
func (a *agent) loop(ctx context.Context) {
	sweep, beat := time.NewTicker(a.cfg.Sweep), time.NewTicker(pulse)
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
			continue
		case <-a.watcher.out:
			a.observe(ctx)
		case <-sweep.C:
			a.refresh(ctx)
			a.observe(ctx)
		case <-beat.C:
			if !a.beat(ctx) {
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
	a.reloadEvery, a.drainFor = answer.ReloadEvery.Std(), answer.Drain.Std()
	if a.desired != answer.Desired {
		a.cfg.Log.Info("a new bundle is desired", "digest", answer.Desired)
		a.desired, a.failures = answer.Desired, 0
	}
}

// refresh notices an nginx binary that was replaced.
func (a *agent) refresh(ctx context.Context) {
	b, err := readBuild(ctx, a.cfg.NginxBinary)
	if err != nil {
		a.cfg.Log.Warn("look at the nginx binary", "error", err)
		return
	}
	a.nginx.build = b
}

// beat says whether nginx was started, stopped or replaced since the last look.
func (a *agent) beat(ctx context.Context) bool {
	if a.nginx.removeLeftSocket() {
		a.cfg.Log.Warn("removed the socket that a killed nginx left behind, so that nginx can start", "socket", a.nginx.listen)
	}
	pid := a.nginx.master()
	running, _ := a.nginx.running(ctx) // as in observe
	changed := pid != a.lastMaster || running != a.seen.running
	a.lastMaster = pid
	return changed
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
		at = later(at, a.applier.lastReload.Add(a.reloadEvery))
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
	} else if tree, err := a.client.bundle(ctx, digest); err != nil {
		// Nothing was tried on the node, so nothing failed there. The next try is soon.
		a.cfg.Log.Warn("fetch a bundle", "digest", digest, "error", err)
		return
	} else {
		end := a.drain(ctx, a.drainFor)
		failed = a.applier.apply(ctx, tree)
		end()
	}
	if ctx.Err() != nil {
		return
	}
	a.failed = failed
	if failed == nil {
		a.failures, a.loaded = 0, digest
		a.cfg.Log.Info("nginx runs the bundle", "digest", digest)
		return
	}
	a.retryAt = time.Now().Add(min(a.cfg.RetryAfter<<min(a.failures, 4), 10*a.cfg.RetryAfter))
	a.failures++
	a.cfg.Log.Error("a bundle was not applied", "digest", digest, "step", failed.Step, "error", failed.Message, "file", failed.File, "line", failed.Line)
}

// settleFailure forgets a failure once its bundle runs after all, such as after nginx was
// started.
func (a *agent) settleFailure() {
	if a.failed != nil && a.seen.running == a.failed.Digest && a.seen.onDisk == a.failed.Digest {
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
