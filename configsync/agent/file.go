package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// writeFile writes a file so that after a crash it is there whole or not at all: temporary
// file, fsync, rename, fsync of the folder.
func writeFile(path string, data []byte) error { return writeAs(path, data, 0o644) }

// writeSecret does so for a file that is nobody else's to read.
func writeSecret(path string, data []byte) error { return writeAs(path, data, 0o600) }

func writeAs(path string, data []byte, perm os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(perm), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a folder's entries durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
