package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// errRefused: the bundle is not what the control plane wants of this node now.
var errRefused = errors.New("refused")

// floor is what applied.json holds: how far this node has come in the line of its fleet's
// bundles. No bundle may lead it back, unless the control plane says so.
type floor struct {
	// Enrolment that it belongs to: a node that was enrolled anew begins anew.
	Enrolment string `json:"enrolment"`
	// Number is the highest that was applied or taken back.
	Number uint64 `json:"number"`
	// Digest and Facts are of the bundle with that number.
	Digest string `json:"digest"`
	Facts  string `json:"facts"`
	// TakenBack says that a rollback followed: the bundle of that number is not wanted any more.
	TakenBack bool `json:"takenBack,omitempty"`
}

// judge says why a bundle must not be applied, or what the floor is after it.
func (f floor) judge(s protocol.Statement, fleet, facts string) (floor, error) {
	switch {
	case s.Fleet != fleet:
		return f, fmt.Errorf("%w: it is a bundle of fleet %q, and this node belongs to fleet %q", errRefused, s.Fleet, fleet)
	case s.Facts != facts:
		return f, fmt.Errorf("%w: it was rendered for another nginx: version, modules, tree folder or listen addresses are not this node's", errRefused)
	case s.Rollback && s.Previous < f.Number:
		return f, fmt.Errorf("%w: it is a rollback of bundle number %d to %d, and this node has applied number %d since: an old rollback was sent again", errRefused, s.Previous, s.Number, f.Number)
	case s.Rollback:
		return floor{Enrolment: f.Enrolment, Number: max(s.Previous, s.Number), Digest: s.Digest, Facts: s.Facts, TakenBack: s.Previous > s.Number}, nil
	case s.Number < f.Number:
		return f, fmt.Errorf("%w: its number is %d, this node has applied number %d, and nothing says that it is a rollback: an old bundle was sent again. If the control plane's store was restored from a backup, enrol this node anew",
			errRefused, s.Number, f.Number)
	case s.Number == f.Number && f.TakenBack:
		return f, fmt.Errorf("%w: bundle number %d was taken back by a rollback, and was sent again", errRefused, s.Number)
	case s.Number == f.Number && s.Digest != f.Digest && s.Facts == f.Facts:
		return f, fmt.Errorf("%w: its number is %d, which stands for bundle %s on this node: two bundles have the same number", errRefused, s.Number, f.Digest)
	}
	return floor{Enrolment: f.Enrolment, Number: s.Number, Digest: s.Digest, Facts: s.Facts}, nil
}

// readFloor is the floor of the present enrolment.
func (i *identity) readFloor(h *held) (floor, error) {
	f := floor{}
	path := filepath.Join(i.cfg.StateDir, floorFile)
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if errors.Is(err, os.ErrNotExist) || err == nil && f.Enrolment != h.leaf.Subject.SerialNumber {
		return floor{Enrolment: h.leaf.Subject.SerialNumber}, nil
	}
	if err != nil {
		return f, fmt.Errorf("%w: it can not be told which bundle is the newest: read %s: %w; remove the file if nobody else can write there", errRefused, path, err)
	}
	return f, nil
}

// above is the highest number so far, so that the control plane gives what it desires a higher one.
func (i *identity) above() uint64 {
	h := i.current()
	if h == nil {
		return 0
	}
	f, err := i.readFloor(h)
	if err != nil {
		return 0 // accept will say so
	}
	return f.Number
}

// accept verifies a bundle that is to be applied, and remembers its number before anything is done
// with it, so that a crash can't make it be forgotten.
func (i *identity) accept(b *protocol.Bundle, digest, facts string) error {
	h := i.current()
	if h == nil {
		return errNotEnrolled
	}
	s, err := b.Envelope.Open(h.BundleKeys)
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	if s.Digest != digest || b.Tree.Digest != digest {
		return fmt.Errorf("%w: bundle %s was asked for, %s came, and what is signed is %s", errRefused, digest, b.Tree.Digest, s.Digest)
	}
	if err := b.Tree.Verify(); err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	f, err := i.readFloor(h)
	if err != nil {
		return err
	}
	next, err := f.judge(s, i.cfg.Fleet, facts)
	if err != nil || next == f {
		return err
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := writeSecret(filepath.Join(i.cfg.StateDir, floorFile), text, nil); err != nil {
		return fmt.Errorf("%w: its number can't be remembered: %w", errRefused, err)
	}
	return nil
}
