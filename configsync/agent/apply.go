package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// The steps of applying, as they stand in reports.
const (
	stepVerifyBundle = "verify-bundle" // before anything on the node is touched

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

	reloads, reloadsFailed, reloadsSpared uint64
	hups                                  uint64 // that were sent, whatever came of them
	lastReload                            time.Time
	// overwritten are the edits that the last replaced tree held.
	overwritten []gateway.FileDrift
	edits       map[string]string // what the files of overwritten meant, by path
	recovered   *gateway.Recovery
	// loaded says whether nginx runs exactly the files on disk; nil for don't know.
	loaded func() bool
	// applied is called when nginx runs what is on disk, while the journal still says so.
	applied func()
	// allowed are the edits, by the id of their hunk, that go on into new bundles.
	allowed map[string]bool
}

// failure makes a step's error reportable.
func failure(digest, step string, err error) *gateway.ApplyFailure {
	message := err.Error()
	if diskFull(err) {
		message = diskFullMessage + message
	}
	return &gateway.ApplyFailure{Digest: digest, Step: step, Message: message, At: time.Now().UTC()}
}

// diskFullMessage begins the message of a failure for which there was no room.
const diskFullMessage = "the disk is full: "

func refusal(digest, step string, e *nginxError) *gateway.ApplyFailure {
	if e.full {
		e.message = diskFullMessage + e.message
	}
	return &gateway.ApplyFailure{Digest: digest, Step: step, Message: e.message, File: e.file, Line: e.line, At: time.Now().UTC()}
}

// apply brings a verified bundle to the running nginx, or leaves everything as it was.
func (a *applier) apply(ctx context.Context, tree *nginxconf.Tree) *gateway.ApplyFailure {
	j := journal{Digest: tree.Digest, Previous: a.disk.current(), Phase: phaseStage}
	a.disk.reach(atBegin)
	if err := a.disk.writeJournal(j, a.disk.half(atJournalHalf)); err != nil {
		return a.refuse(failure(tree.Digest, stepStage, err))
	}
	a.disk.reach(atJournal)
	if err := a.disk.stage(tree); err != nil {
		return a.refuse(failure(tree.Digest, stepStage, err))
	}
	if err := a.carry(ctx, j.Previous, tree); err != nil {
		return a.refuse(failure(tree.Digest, stepStage, err))
	}
	a.disk.reach(atStaged)
	if e := a.nginx.check(ctx, a.disk, tree.Digest); e != nil {
		return a.refuse(refusal(tree.Digest, stepCheck, e))
	}
	a.disk.reach(atChecked)
	spare := !a.reloadNeeded(ctx, j.Previous, tree)
	a.noteOverwritten(j.Previous, tree.Digest)
	j.Phase = phaseFlip
	if err := a.disk.writeJournal(j, nil); err != nil {
		return a.refuse(failure(tree.Digest, stepFlip, err))
	}
	a.disk.reach(atFlipJournal)
	if err := a.flipTo(tree.Digest, atFlipHalf, atFlipped); err != nil {
		return a.undo(ctx, j.Previous, false, failure(tree.Digest, stepFlip, err))
	}
	if spare {
		if err := a.spareReload(ctx, tree.Digest, j.Previous); err == nil {
			return a.finish(j, nil)
		}
	}
	return a.activate(ctx, j)
}

// refuse removes what was staged; nothing else has been touched.
func (a *applier) refuse(f *gateway.ApplyFailure) *gateway.ApplyFailure {
	if err := errors.Join(a.disk.drop(f.Digest), a.disk.removeJournal()); err != nil {
		a.cfg.Log.Warn("a refused tree stays on disk, outside of what nginx loads", "digest", f.Digest, "error", err)
	}
	return f
}

// noteOverwritten looks for edits that nobody has seen yet, since this is the last moment
// at which nginx would load them.
func (a *applier) noteOverwritten(previous, digest string) {
	// Of two edits of a file that are adopted one after the other, the second is lost to the first
	// bundle and comes back with the next one.
	a.overwritten = slices.DeleteFunc(slices.Clone(a.overwritten), func(d gateway.FileDrift) bool {
		return a.edits[d.Path] == a.normal(digest, d.Path)
	})
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
	a.overwritten, a.edits = list, map[string]string{}
	for _, d := range list {
		a.edits[d.Path] = a.normal(previous, d.Path)
		a.cfg.Log.Warn("an edit by hand is overwritten by a new bundle; the edited file stays in its old tree",
			"file", d.Path, "change", d.Change, "tree", a.disk.tree(previous))
	}
}

// activate makes nginx run what is on disk and waits until a new worker says so.
func (a *applier) activate(ctx context.Context, j journal) *gateway.ApplyFailure {
	if a.nginx.master() == 0 {
		// Nothing to reload. The tree is checked, so the next start loads it.
		return a.finish(j, failure(j.Digest, stepVerify, fmt.Errorf("%w; the checked tree is on disk and the next start loads it", errNotRunning)))
	}
	a.disk.reach(atBeforeReload)
	before := a.nginx.beforeReload()
	if err := a.reload(); err != nil {
		a.reloadsFailed++
		return a.undo(ctx, j.Previous, true, failure(j.Digest, stepReload, err))
	}
	a.disk.reach(atAfterReload)
	if err := a.verify(ctx, j.Digest, before); err != nil {
		a.reloadsFailed++
		if ctx.Err() != nil {
			return failure(j.Digest, stepVerify, err) // the journal lets the next start go on
		}
		return a.undo(ctx, j.Previous, true, a.reloadFailure(j.Digest, before, err))
	}
	a.disk.reach(atVerified)
	a.reloads++
	return a.finish(j, nil)
}

// reload tells nginx to load what is on disk.
func (a *applier) reload() error {
	a.lastReload = time.Now()
	a.hups++
	return a.nginx.reload()
}

// verify polls until a worker answers the digest and the old workers take no connection any
// more. An old worker that is slow to stop does not fail a bundle that a new one runs.
func (a *applier) verify(ctx context.Context, digest string, before beforeReload) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.VerifyTimeout)
	defer cancel()
	answered := false
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		a.disk.reach(atVerifying)
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
func (a *applier) finish(j journal, f *gateway.ApplyFailure) *gateway.ApplyFailure {
	if a.applied != nil {
		a.applied()
	}
	err := a.disk.removeJournal()
	a.disk.reach(atJournalGone)
	if err = errors.Join(err, a.disk.prune(j.Previous)); err != nil {
		a.cfg.Log.Warn("clean up after a bundle", "digest", j.Digest, "error", err)
	}
	a.disk.reach(atPruned)
	return f
}

// reactivate makes nginx run the tree that is on disk already: nginx runs something else,
// because a reload failed or was undone.
func (a *applier) reactivate(ctx context.Context, digest string) *gateway.ApplyFailure {
	if e := a.nginx.test(ctx, a.nginx.conf); e != nil {
		e.relativeTo(a.disk.link())
		return refusal(digest, stepCheck, e)
	}
	before := a.nginx.beforeReload()
	if err := a.reload(); err != nil {
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
