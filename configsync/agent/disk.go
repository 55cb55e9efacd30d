package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// keepTrees is how many trees stay for going back and for looking at overwritten edits.
const keepTrees = 5

// disk is the agent's folder; see the package documentation.
type disk struct{ root string }

func (d disk) link() string                { return filepath.Join(d.root, "current") }
func (d disk) tree(digest string) string   { return filepath.Join(d.root, "trees", digest) }
func (d disk) bundle(digest string) string { return filepath.Join(d.root, "bundles", digest+".json") }
func (d disk) scratch() string             { return filepath.Join(d.root, "check") }
func (d disk) journal() string             { return filepath.Join(d.root, "journal.json") }

// prepare makes the folders and removes what an interrupted stage left.
func (d disk) prepare() error {
	for _, name := range []string{"trees", "bundles"} {
		if err := os.MkdirAll(filepath.Join(d.root, name), 0o755); err != nil {
			return fmt.Errorf("make the tree folder: %w", err)
		}
	}
	left, err := filepath.Glob(filepath.Join(d.root, "trees", ".stage-*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// current is the digest of the tree that nginx would load, or "".
func (d disk) current() string {
	target, err := os.Readlink(d.link())
	if err != nil {
		return ""
	}
	digest := filepath.Base(target)
	if under(d.root, target) != d.tree(digest) {
		return "" // pointed elsewhere by hand
	}
	return digest
}

// pristine is the bundle as it was received, or nil.
func (d disk) pristine(digest string) *nginxconf.Tree {
	b, err := os.ReadFile(d.bundle(digest))
	if err != nil {
		return nil
	}
	tree := &nginxconf.Tree{}
	if json.Unmarshal(b, tree) != nil || tree.Digest != digest || tree.Verify() != nil {
		return nil
	}
	return tree
}

// stage writes the complete tree under its digest. A tree that is there already is used
// only if it is untouched; an edited one is moved aside and kept for a while.
func (d disk) stage(tree *nginxconf.Tree) error {
	b, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	if err := writeFile(d.bundle(tree.Digest), b); err != nil {
		return err
	}
	path := d.tree(tree.Digest)
	if _, err := os.Lstat(path); err == nil {
		if list, err := drift(path, tree); err == nil && len(list) == 0 {
			return nil
		}
		if err := os.Rename(path, path+".edited-"+time.Now().UTC().Format("20060102T150405.000")); err != nil {
			return err
		}
	}
	tmp, err := os.MkdirTemp(filepath.Join(d.root, "trees"), ".stage-*")
	if err != nil {
		return err
	}
	if err := d.fill(tmp, tree); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return syncDir(filepath.Dir(path))
}

// fill writes the files; every byte and entry is durable when it returns.
func (d disk) fill(dir string, tree *nginxconf.Tree) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	made := map[string]bool{dir: true}
	for _, f := range tree.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if d.share(path, &f, made) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		made[filepath.Dir(path)] = true
		if err := writeSynced(path, f.Data); err != nil {
			return err
		}
	}
	for path := range made {
		if err := syncDir(path); err != nil {
			return err
		}
	}
	return nil
}

// writeSynced needs no rename: the whole folder is renamed when it is complete.
func writeSynced(path, data string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// flip points current at a tree in one step, or removes it for digest "".
func (d disk) flip(digest string) error {
	if digest == "" {
		if err := os.Remove(d.link()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return syncDir(d.root)
	}
	tmp := filepath.Join(d.root, ".current")
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(filepath.Join("trees", digest), tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, d.link()); err != nil {
		return err
	}
	return syncDir(d.root)
}

// drop removes a staged tree that was refused.
func (d disk) drop(digest string) error {
	if digest == "" || digest == d.current() {
		return nil
	}
	err := os.Remove(d.bundle(digest))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(os.RemoveAll(d.tree(digest)), err)
}

// prune keeps the newest trees and the current one.
func (d disk) prune() error {
	entries, err := os.ReadDir(filepath.Join(d.root, "trees"))
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return d.applied(b.Name()).Compare(d.applied(a.Name())) })
	for _, e := range entries[min(keepTrees, len(entries)):] {
		if strings.Contains(e.Name(), ".edited-") {
			err = errors.Join(err, os.RemoveAll(d.tree(e.Name())))
		} else {
			err = errors.Join(err, d.drop(e.Name()))
		}
	}
	return err
}

// applied is when a tree was staged last.
func (d disk) applied(name string) time.Time {
	for _, path := range []string{d.bundle(name), d.tree(name)} {
		if info, err := os.Stat(path); err == nil {
			return info.ModTime()
		}
	}
	return time.Time{}
}
