package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// The steps of applying, as they stand in reports.
const (
	stepStage  = "stage"
	stepCheck  = "check"
	stepFlip   = "flip"
	stepReload = "reload"
	stepVerify = "verify"
)

// applier carries a bundle through the steps. It belongs to one goroutine.
type applier struct {
	cfg   Config
	disk  disk
	nginx *nginx

	reloads, reloadsFailed uint64
	lastReload             time.Time
	// overwritten are the edits that the last replaced tree held.
	overwritten []gateway.FileDrift
	// allowed are the edits, by the id of their hunk, that go on into new bundles.
	allowed map[string]bool
}

// failure makes a step's error reportable.
func failure(digest, step string, err error) *gateway.ApplyFailure {
	return &gateway.ApplyFailure{Digest: digest, Step: step, Message: err.Error(), At: time.Now().UTC()}
}

func refusal(digest, step string, e *nginxError) *gateway.ApplyFailure {
	return &gateway.ApplyFailure{Digest: digest, Step: step, Message: e.message, File: e.file, Line: e.line, At: time.Now().UTC()}
}

// apply brings a verified bundle to the running nginx, or leaves everything as it was.
func (a *applier) apply(ctx context.Context, tree *nginxconf.Tree) *gateway.ApplyFailure {
	previous := a.disk.current()
	if err := a.disk.stage(tree); err != nil {
		return a.refuse(failure(tree.Digest, stepStage, err))
	}
	if err := a.carry(ctx, previous, tree); err != nil {
		return a.refuse(failure(tree.Digest, stepStage, err))
	}
	a.cfg.afterStep(stepStage)
	if e := a.nginx.check(ctx, a.disk.scratch(), a.disk.link(), a.disk.tree(tree.Digest)); e != nil {
		return a.refuse(refusal(tree.Digest, stepCheck, e))
	}
	a.cfg.afterStep(stepCheck)
	a.noteOverwritten(previous, tree.Digest)
	if err := a.disk.writeJournal(journal{Digest: tree.Digest, Previous: previous}); err != nil {
		return a.refuse(failure(tree.Digest, stepFlip, err))
	}
	a.cfg.afterStep("journal")
	if err := a.disk.flip(tree.Digest); err != nil {
		return a.undo(ctx, previous, false, failure(tree.Digest, stepFlip, err))
	}
	a.cfg.afterStep(stepFlip)
	return a.activate(ctx, tree.Digest, previous)
}

// refuse removes what was staged; nothing else has been touched.
func (a *applier) refuse(f *gateway.ApplyFailure) *gateway.ApplyFailure {
	if err := a.disk.drop(f.Digest); err != nil {
		a.cfg.Log.Warn("a refused tree stays on disk, outside of what nginx loads", "digest", f.Digest, "error", err)
	}
	return f
}

// noteOverwritten looks for edits that nobody has seen yet, since this is the last moment
// at which nginx would load them.
func (a *applier) noteOverwritten(previous, digest string) {
	tree := a.disk.pristine(previous)
	if tree == nil {
		return
	}
	list, err := a.drifted(previous, tree)
	if err != nil {
		return
	}
	if list = a.lost(list, previous, digest); len(list) == 0 {
		return
	}
	a.overwritten = list
	for _, d := range list {
		a.cfg.Log.Warn("an edit by hand is overwritten by a new bundle; the edited file stays in its old tree",
			"file", d.Path, "change", d.Change, "tree", a.disk.tree(previous))
	}
}

// activate makes nginx run what is on disk and waits until a new worker says so.
func (a *applier) activate(ctx context.Context, digest, previous string) *gateway.ApplyFailure {
	if a.nginx.master() == 0 {
		// Nothing to reload. The tree is checked, so the next start loads it.
		return a.finish(digest, failure(digest, stepVerify, fmt.Errorf("%w; the checked tree is on disk and the next start loads it", errNotRunning)))
	}
	a.lastReload = time.Now()
	before := a.nginx.beforeReload()
	if err := a.nginx.reload(); err != nil {
		a.reloadsFailed++
		return a.undo(ctx, previous, true, failure(digest, stepReload, err))
	}
	a.cfg.afterStep(stepReload)
	if err := a.verify(ctx, digest, before); err != nil {
		a.reloadsFailed++
		if ctx.Err() != nil {
			return failure(digest, stepVerify, err) // the journal lets the next start go on
		}
		return a.undo(ctx, previous, true, a.reloadFailure(digest, before, err))
	}
	a.reloads++
	a.cfg.afterStep(stepVerify)
	return a.finish(digest, nil)
}

// verify polls until a worker answers the digest and the old workers take no connection any
// more. An old worker that is slow to stop does not fail a bundle that a new one runs.
func (a *applier) verify(ctx context.Context, digest string, before beforeReload) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.VerifyTimeout)
	defer cancel()
	answered := false
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		stopped := !accepting(before.workers)
		got, err := a.nginx.running(ctx)
		if err == nil && got == digest {
			if answered = true; stopped {
				return nil
			}
		}
		if before.log.final() {
			return errors.New("nginx refused the reload")
		}
		if a.nginx.master() == 0 {
			return fmt.Errorf("%w any more: its master process ended during the reload", errNotRunning)
		}
		select {
		case <-ctx.Done():
			if answered {
				return nil
			}
			if err == nil {
				err = fmt.Errorf("nginx still runs %q", got)
			}
			return fmt.Errorf("no worker answered digest %s within %s after the reload: %w", digest, a.cfg.VerifyTimeout, err)
		case <-time.After(wait):
		}
	}
}

// finish ends the journal and cleans up.
func (a *applier) finish(digest string, f *gateway.ApplyFailure) *gateway.ApplyFailure {
	if err := errors.Join(a.disk.removeJournal(), a.disk.prune()); err != nil {
		a.cfg.Log.Warn("clean up after a bundle", "digest", digest, "error", err)
	}
	return f
}

// undo flips back, tests the old tree again and makes nginx run it if it may have loaded
// the new one.
func (a *applier) undo(ctx context.Context, previous string, reload bool, f *gateway.ApplyFailure) *gateway.ApplyFailure {
	if err := a.disk.flip(previous); err != nil {
		f.Message += fmt.Sprintf("; flipping back to %q failed too: %v", previous, err)
		return f // the journal stays, so that the next start tries again
	}
	a.cfg.afterStep("undo")
	if e := a.nginx.test(ctx, a.nginx.conf); e != nil {
		f.Message += "; the previous tree does not load either: " + e.message
	} else if before := a.nginx.beforeReload(); reload && a.nginx.master() != 0 {
		if err := a.nginx.reload(); err != nil {
			f.Message += fmt.Sprintf("; going back: %v", err)
		} else if previous != "" {
			if err := a.verify(ctx, previous, before); err != nil {
				f.Message += fmt.Sprintf("; going back: %v", err)
			}
		}
	}
	if err := a.disk.drop(f.Digest); err != nil {
		a.cfg.Log.Warn("remove a tree that failed", "digest", f.Digest, "error", err)
	}
	return a.finish(f.Digest, f)
}

// recover finishes or undoes what the agent's last life left behind. A flip that happened
// goes on from there; one that did not is forgotten, since nothing was touched.
func (a *applier) recover(ctx context.Context) (*gateway.ApplyFailure, error) {
	j, err := a.disk.readJournal()
	if j == nil || err != nil {
		return nil, err
	}
	if a.disk.current() != j.Digest {
		a.cfg.Log.Info("an interrupted bundle had not reached nginx", "digest", j.Digest)
		return nil, a.disk.removeJournal()
	}
	a.cfg.Log.Info("finishing an interrupted bundle", "digest", j.Digest, "previous", j.Previous)
	if e := a.nginx.test(ctx, a.nginx.conf); e != nil {
		e.relativeTo(a.disk.link())
		return a.undo(ctx, j.Previous, true, refusal(j.Digest, stepCheck, e)), nil
	}
	return a.activate(ctx, j.Digest, j.Previous), nil
}

// reactivate makes nginx run the tree that is on disk already: nginx runs something else,
// because a reload failed or was undone.
func (a *applier) reactivate(ctx context.Context, digest string) *gateway.ApplyFailure {
	if e := a.nginx.test(ctx, a.nginx.conf); e != nil {
		e.relativeTo(a.disk.link())
		return refusal(digest, stepCheck, e)
	}
	a.lastReload = time.Now()
	before := a.nginx.beforeReload()
	if err := a.nginx.reload(); err != nil {
		a.reloadsFailed++
		return failure(digest, stepReload, err)
	}
	if err := a.verify(ctx, digest, before); err != nil {
		a.reloadsFailed++
		return a.reloadFailure(digest, before, err)
	}
	a.reloads++
	return nil
}

// reloadFailure gives nginx's own words where it left any in its error log.
func (a *applier) reloadFailure(digest string, before beforeReload, err error) *gateway.ApplyFailure {
	e := before.log.complaint()
	if e.message == "" {
		return failure(digest, stepVerify, err)
	}
	e.relativeTo(a.disk.link())
	return refusal(digest, stepReload, e)
}
