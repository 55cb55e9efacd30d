package agent

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// undo flips back, tests the old tree again and makes nginx run it if it may have loaded
// the new one.
func (a *applier) undo(ctx context.Context, previous string, reload bool, f *gateway.ApplyFailure) *gateway.ApplyFailure {
	// A kill from here on is followed by going back, too, and the reason is not lost. Without
	// room for it the flip back still has to be tried.
	j := journal{Digest: f.Digest, Previous: previous, Phase: phaseUndo, Failure: f}
	if err := a.disk.writeJournal(j, nil); err != nil {
		a.cfg.Log.Warn("note that a bundle is taken back", "digest", f.Digest, "error", err)
	}
	a.disk.reach(atUndoJournal)
	if err := a.flipBack(previous, f.Digest); err != nil {
		f.Message += fmt.Sprintf("; flipping back to %q failed too: %v", previous, err)
		return f // the journal stays, so that the next start tries again
	}
	if e := a.nginx.test(ctx, a.nginx.conf); e != nil {
		f.Message += "; the previous tree does not load either: " + e.message
	} else if reload && a.nginx.master() != 0 {
		a.disk.reach(atUndoTested)
		if err := a.reloadBack(ctx, previous); err != nil {
			f.Message += fmt.Sprintf("; going back: %v", err)
		}
	}
	if ctx.Err() != nil {
		return f // likewise
	}
	a.disk.reach(atUndoVerified)
	if err := a.disk.drop(f.Digest); err != nil {
		a.cfg.Log.Warn("remove a tree that failed", "digest", f.Digest, "error", err)
	}
	a.disk.reach(atUndoDropped)
	return a.finish(j, f)
}

// flipBack also works on a disk that is full: the received copy of the refused bundle gives
// its room to the link.
func (a *applier) flipBack(previous, refused string) error {
	err := a.flipTo(previous, atUndoFlipHalf, atUndoFlipped)
	if diskFull(err) && os.Remove(a.disk.bundle(refused)) == nil {
		return a.flipTo(previous, atUndoFlipHalf, atUndoFlipped)
	}
	return err
}

func (a *applier) reloadBack(ctx context.Context, previous string) error {
	before := a.nginx.beforeReload()
	if err := a.reload(); err != nil {
		return err
	}
	a.disk.reach(atUndoReloaded)
	if previous == "" {
		return nil // nobody answers a digest then
	}
	return a.verify(ctx, previous, before)
}

// recover finishes or undoes what the agent's last life left behind. killed is that life's
// pid, or 0 when it ended in order.
func (a *applier) recover(ctx context.Context, killed int) *gateway.ApplyFailure {
	j, err := a.disk.readJournal()
	if err != nil {
		a.cfg.Log.Error("the journal can't be read; it is set aside, and the node goes by what is on disk", "error", err)
		if err := a.disk.setJournalAside(); err != nil {
			a.cfg.Log.Error("set the journal aside", "error", err)
		}
	}
	if j == nil {
		if killed != 0 {
			a.note(gateway.RecoveryNothing, journal{}, fmt.Sprintf("the agent (pid %d) was killed; no bundle was under way", killed))
		}
		return nil
	}
	return a.resume(ctx, *j)
}

// resume goes by how far the bundle had got.
func (a *applier) resume(ctx context.Context, j journal) *gateway.ApplyFailure {
	switch current := a.disk.current(); {
	case j.Phase == phaseUndo && j.Failure != nil:
		f := a.undo(ctx, j.Previous, true, j.Failure)
		a.note(gateway.RecoveryUndone, j, fmt.Sprintf("the agent was killed while it took bundle %s back, which had failed at step %s; it is taken back now", j.Digest, f.Step))
		return f
	case current != j.Digest:
		err := a.flipTo(current, atFlipHalf, atFlipped) // nginx.conf as it goes with the tree
		if err == nil {
			err = a.disk.removeJournal()
		}
		if err != nil {
			a.cfg.Log.Error("forget an interrupted bundle", "digest", j.Digest, "error", err)
		}
		a.note(gateway.RecoveryForgotten, j, fmt.Sprintf("the agent was killed at step %s of bundle %s, before nginx could load it; nothing had changed for nginx", j.Phase, j.Digest))
		return nil
	}
	if err := a.flipTo(j.Digest, atFlipHalf, atFlipped); err != nil {
		return a.undone(j, a.undo(ctx, j.Previous, true, failure(j.Digest, stepFlip, err)))
	}
	if e := a.nginx.test(ctx, a.nginx.conf); e != nil {
		e.relativeTo(a.disk.link())
		return a.undone(j, a.undo(ctx, j.Previous, true, refusal(j.Digest, stepCheck, e)))
	}
	f := a.activate(ctx, j)
	if f != nil && a.disk.current() != j.Digest {
		return a.undone(j, f)
	}
	a.note(gateway.RecoveryFinished, j, fmt.Sprintf("the agent was killed after bundle %s had replaced %q on disk; it is finished now", j.Digest, j.Previous))
	return f
}

func (a *applier) undone(j journal, f *gateway.ApplyFailure) *gateway.ApplyFailure {
	a.note(gateway.RecoveryUndone, j, fmt.Sprintf("the agent was killed after bundle %s had replaced %q on disk; it failed at step %s and is taken back", j.Digest, j.Previous, f.Step))
	return f
}

func (a *applier) note(action gateway.RecoveryAction, j journal, message string) {
	a.cfg.Log.Warn(message, "action", action, "digest", j.Digest)
	a.recovered = &gateway.Recovery{Digest: j.Digest, Step: string(j.Phase), Action: action, Message: message, At: time.Now().UTC()}
}
