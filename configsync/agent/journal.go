package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// journal is on disk from before the flip until the bundle is verified or undone.
type journal struct {
	Digest   string `json:"digest"`
	Previous string `json:"previous"` // empty for none
}

func (d disk) writeJournal(j journal) error {
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return writeFile(d.journal(), b)
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
		return nil, fmt.Errorf("read %s: %w; compare the link \"current\" with what should run, then remove this file", d.journal(), err)
	}
	return j, nil
}

func (d disk) removeJournal() error {
	if err := os.Remove(d.journal()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(d.journal()))
}
