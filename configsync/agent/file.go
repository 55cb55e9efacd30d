package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// leftName begins the names of our temporary files. The dot keeps them out of includes such
// as "*.conf", and the whole of it keeps other programs' files safe when leftovers go.
const leftName = ".sluice-tmp-"

// writeFile writes a file so that after a crash it is there whole or not at all: temporary
// file, fsync, rename, fsync of the folder. half is called when half of it is written.
func writeFile(path string, data []byte, half func()) error {
	return writeAs(path, data, 0o644, half)
}

// writeSecret does so for a file that is nobody else's to read.
func writeSecret(path string, data []byte, half func()) error {
	return writeAs(path, data, 0o600, half)
}

func writeAs(path string, data []byte, perm os.FileMode, half func()) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), leftName+"*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = errors.Join(writeHalves(tmp, data, half), tmp.Chmod(perm), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// writeHalves writes data in two steps when somebody wants to know about the first.
func writeHalves(f *os.File, data []byte, half func()) error {
	if half == nil {
		_, err := f.Write(data)
		return err
	}
	if _, err := f.Write(data[:len(data)/2]); err != nil {
		return err
	}
	half()
	_, err := f.Write(data[len(data)/2:])
	return err
}

// removeLeft removes temporary files that a killed agent left in a folder.
func removeLeft(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), leftName) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// syncDir makes a folder's entries durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// diskFull says whether an error means that there is no room.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
