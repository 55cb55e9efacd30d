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
type disk struct {
	root string
	at   func(point) // passed places, for tests that kill the agent there; may be nil
	read *contents   // may be nil
}

func (d disk) reach(p point) {
	if d.at != nil {
		d.at(p)
	}
}

// half is for writeFile.
func (d disk) half(p point) func() {
	if d.at == nil {
		return nil
	}
	return func() { d.at(p) }
}

func (d disk) link() string                { return filepath.Join(d.root, "current") }
func (d disk) tree(digest string) string   { return filepath.Join(d.root, "trees", digest) }
func (d disk) bundle(digest string) string { return filepath.Join(d.root, "bundles", digest+".json") }
func (d disk) scratch() string             { return filepath.Join(d.root, "check") }
func (d disk) journal() string             { return filepath.Join(d.root, "journal.json") }

// prepare makes the folders.
func (d disk) prepare() error {
	for _, name := range []string{"trees", "bundles"} {
		if err := os.MkdirAll(filepath.Join(d.root, name), 0o755); err != nil {
			return fmt.Errorf("make the tree folder: %w", err)
		}
	}
	return nil
}

// sweep removes what an agent that was killed left half done; conf is nginx.conf.
func (d disk) sweep(conf string) error {
	var err error
	for _, dir := range []string{d.root, filepath.Join(d.root, "trees"), filepath.Join(d.root, "bundles"), filepath.Dir(conf)} {
		err = errors.Join(err, removeLeft(dir))
	}
	for _, path := range []string{d.scratch(), filepath.Join(filepath.Dir(conf), checkName)} {
		err = errors.Join(err, os.RemoveAll(path))
	}
	bundles, e := os.ReadDir(filepath.Join(d.root, "bundles"))
	err = errors.Join(err, e)
	for _, b := range bundles {
		digest := strings.TrimSuffix(b.Name(), ".json")
		if _, e := os.Lstat(d.tree(digest)); errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, os.Remove(d.bundle(digest)))
		}
	}
	return err
}

// current is the digest of the tree that nginx would load, or "". One that somebody has removed
// is none: nginx's include finds no files then, which is no error to nginx, and its next start
// would serve nothing. So the bundle is applied again.
func (d disk) current() string {
	target, err := os.Readlink(d.link())
	if err != nil {
		return ""
	}
	digest := filepath.Base(target)
	if under(d.root, target) != d.tree(digest) {
		return "" // pointed elsewhere by hand
	}
	if info, err := os.Stat(d.tree(digest)); err != nil || !info.IsDir() {
		return ""
	}
	return digest
}

// pristine is the bundle as it was received, or nil.
func (d disk) pristine(digest string) *nginxconf.Tree {
	return d.read.pristine(digest, func() *nginxconf.Tree { return d.readBundle(digest) })
}

func (d disk) readBundle(digest string) *nginxconf.Tree {
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
	if err := d.prepare(); err != nil { // somebody may have cleaned up
		return err
	}
	if err := writeSecret(d.bundle(tree.Digest), b, d.half(atBundleHalf)); err != nil { // it may hold private keys
		return err
	}
	d.reach(atBundle)
	d.read.keep(tree)
	path := d.tree(tree.Digest)
	if _, err := os.Lstat(path); err == nil {
		if list, err := d.drift(path, tree, nil); err == nil && len(list) == 0 {
			return nil
		}
		if err := os.Rename(path, path+".edited-"+time.Now().UTC().Format("20060102T150405.000")); err != nil {
			return err
		}
	}
	tmp, err := os.MkdirTemp(filepath.Join(d.root, "trees"), leftName+"*")
	if err != nil {
		return err
	}
	if err := d.fill(tmp, tree); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	d.reach(atFilled)
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
		if err := writeSynced(path, f.Data, f.Perm(), d.half(atFileHalf)); err != nil {
			return err
		}
		d.reach(atFile)
	}
	for path := range made {
		if err := syncDir(path); err != nil {
			return err
		}
	}
	return nil
}

// writeSynced needs no rename: the whole folder is renamed when it is complete.
func writeSynced(path, data string, perm os.FileMode, half func()) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	return errors.Join(writeHalves(f, []byte(data), half), f.Sync(), f.Close())
}

// flip points current at a tree in one step, or removes it for digest "". half and flipped
// are passed on the way.
func (d disk) flip(digest string, half, flipped point) error {
	if digest == "" {
		if err := os.Remove(d.link()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		d.reach(flipped)
		return syncDir(d.root)
	}
	tmp := filepath.Join(d.root, leftName+"current")
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(filepath.Join("trees", digest), tmp); err != nil {
		return err
	}
	d.reach(half)
	if err := os.Rename(tmp, d.link()); err != nil {
		return err
	}
	d.reach(flipped)
	return syncDir(d.root)
}

// drop removes a staged tree that was refused.
func (d disk) drop(digest string) error {
	if digest == "" || digest == d.current() {
		return nil
	}
	err := os.RemoveAll(d.tree(digest))
	d.reach(atPruneHalf)
	if e := os.Remove(d.bundle(digest)); !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// prune keeps the newest trees, and the named one: with a clock that was wrong, the newest
// need not be the last.
func (d disk) prune(keep string) error {
	entries, err := os.ReadDir(filepath.Join(d.root, "trees"))
	if err != nil {
		return err
	}
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int { return d.applied(b.Name()).Compare(d.applied(a.Name())) })
	for _, e := range entries[min(keepTrees, len(entries)):] {
		switch {
		case strings.Contains(e.Name(), ".edited-"):
			err = errors.Join(err, os.RemoveAll(d.tree(e.Name())))
		case e.Name() != keep:
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
