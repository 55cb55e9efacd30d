package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluice-gateway/sluice/gateway"
)

// phase says how far a bundle had got when the journal was written.
type phase string

const (
	phaseStage phase = "stage" // nothing that nginx loads has been touched
	phaseFlip  phase = "flip"  // the link may point at the new tree, nginx may have loaded it
	phaseUndo  phase = "undo"  // the bundle failed and is being taken back
)

// journal is on disk from before the first file of a bundle is written until the bundle is
// verified or undone.
type journal struct {
	Digest   string `json:"digest"`
	Previous string `json:"previous"` // empty for none
	Phase    phase  `json:"phase"`
	// Failure is why the bundle is taken back, in phase undo.
	Failure *gateway.ApplyFailure `json:"failure,omitempty"`
}

func (d disk) writeJournal(j journal, half func()) error {
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return writeFile(d.journal(), b, half)
}

// readJournal returns nil when nothing was interrupted.
func (d disk) readJournal() (*journal, error) {
	b, err := os.ReadFile(d.journal())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	j := &journal{}
	if err := json.Unmarshal(b, j); err != nil {
		return nil, fmt.Errorf("read %s: %w", d.journal(), err)
	}
	return j, nil
}

// setJournalAside keeps a journal that can't be read, for people to look at. It is written
// in one step, so only a failing disk or a hand edit can damage it.
func (d disk) setJournalAside() error {
	if err := os.Rename(d.journal(), d.journal()+".damaged"); err != nil {
		return err
	}
	return syncDir(d.root)
}

func (d disk) removeJournal() error {
	if err := os.Remove(d.journal()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(d.journal()))
}
