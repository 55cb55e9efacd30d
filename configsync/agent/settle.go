package agent

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// rewrite is a file that is about to be written.
type rewrite struct {
	path   string
	before []byte
	gone   bool // there was no file before
	after  []byte
	remove bool        // there shall be none after
	perm   os.FileMode // of a file that holds a private key; 0: as it is
	hunks  []string
}

// settle carries out what people decided about edits by hand: files are put back all
// together, and only when nginx accepts them.
func (a *agent) settle(ctx context.Context, s protocol.Settle) {
	a.applier.allowed = map[string]bool{}
	for _, id := range s.Allowed {
		a.applier.allowed[id] = true
	}
	if len(s.Revert) == 0 && len(s.Files) == 0 {
		return
	}
	list, err := a.treeRewrites(s.Revert)
	for _, f := range s.Files {
		r, fileErr := a.foreignRewrite(f)
		if fileErr != nil {
			a.settled(f.Hunks, fileErr)
			continue
		}
		list = append(list, r)
	}
	if err == nil {
		err = a.rewriteAll(ctx, list)
	}
	if err == nil {
		err = a.relink()
	}
	for _, r := range list {
		a.settled(r.hunks, err)
	}
	if err != nil {
		a.cfg.Log.Error("an edit by hand was not taken back", "error", err)
		return
	}
	a.reloadSettled(ctx)
}

// treeRewrites takes edits of the rendered tree back, file by file.
func (a *agent) treeRewrites(revert []string) ([]rewrite, error) {
	digest := a.disk.current()
	tree := a.pristineTree(digest)
	if tree == nil || len(revert) == 0 {
		return nil, nil
	}
	files, err := a.applier.drifted(digest, tree)
	if err != nil {
		return nil, err
	}
	var list []rewrite
	places := a.applier.places(digest)
	for _, d := range files {
		r := rewrite{path: a.applier.place(digest, d.Path)}
		for _, h := range d.Hunks {
			if slices.Contains(revert, h.ID) {
				r.hunks = append(r.hunks, h.ID)
			}
		}
		if len(r.hunks) == 0 {
			continue
		}
		r.before, err = os.ReadFile(r.path)
		if r.gone = errors.Is(err, os.ErrNotExist); err != nil && !r.gone {
			return nil, err
		}
		text, file := textOf(tree, d.Path), tree.File(d.Path)
		if file != nil && file.Mode != 0 {
			r.perm = file.Perm()
		}
		if r.perm == 0 && !nginxconf.HasSecret(string(r.before)) { // hunks of secrets are those of fingerprints: such a file comes back as a whole
			base := nginxconf.NewSide(d.Path, text, places)
			text, _ = nginxconf.Splice(d.Path, base, base, nginxconf.NewSide(d.Path, string(r.before), places), func(h gateway.Hunk) bool { return !slices.Contains(revert, h.ID) })
		}
		r.after, r.remove = []byte(text), text == "" && file == nil
		list = append(list, r)
	}
	return list, nil
}

// foreignRewrite checks that a file outside of the rendered tree is one that nginx loads, and
// still the one that the decision was about, or what it shall become: it may be asked for twice.
func (a *agent) foreignRewrite(f protocol.SettleFile) (rewrite, error) {
	files, err := a.nginx.files(a.disk)
	if err != nil {
		return rewrite{}, err
	}
	i := slices.IndexFunc(files, func(l loadedFile) bool { return l.path == f.Path })
	if i < 0 || !filepath.IsAbs(f.Path) || strings.HasPrefix(f.Path, a.disk.root+"/") {
		return rewrite{}, fmt.Errorf("%s is not a file outside of Sluice's tree that nginx loads, so it is left alone", f.Path)
	}
	if sum := sha256.Sum256(files[i].data); hex.EncodeToString(sum[:]) != f.Have && !bytes.Equal(files[i].data, f.Data) {
		return rewrite{}, fmt.Errorf("%s was changed again in the meantime, so it is left alone: look at the drift again", f.Path)
	}
	return rewrite{path: f.Path, before: files[i].data, after: f.Data, remove: f.Remove, hunks: f.Hunks}, nil
}

// rewriteAll writes the files and puts them back as they were when nginx refuses them.
func (a *agent) rewriteAll(ctx context.Context, list []rewrite) error {
	var err error
	for _, r := range list {
		if err == nil {
			err = replaceFile(r.path, r.after, r.remove, r.perm)
		}
	}
	if err == nil {
		e := a.nginx.test(ctx, a.nginx.conf)
		if e == nil {
			return nil
		}
		e.relativeTo(a.disk.link())
		err = fmt.Errorf("nginx refuses the files without the edit, so they are left as they were: %s", e.message)
	}
	for _, r := range list {
		err = errors.Join(err, replaceFile(r.path, r.before, r.gone, r.perm))
	}
	return err
}

// replaceFile writes a file in one step and keeps its owner and, with perm 0, its mode, or
// removes it. A symlink stays one. Folders that are gone come back.
func replaceFile(path string, data []byte, remove bool, perm os.FileMode) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if remove {
		err := os.Remove(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil
		case err != nil:
			return err
		}
		return syncDir(filepath.Dir(path))
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeDir(filepath.Dir(path)); err != nil {
			return err
		}
		return writeAs(path, data, cmp.Or(perm, 0o644), nil)
	}
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), leftName+"*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = tmp.Write(data)
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		err = errors.Join(err, tmp.Chown(int(owner.Uid), int(owner.Gid)))
	}
	err = errors.Join(err, tmp.Chmod(cmp.Or(perm, info.Mode().Perm())), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// relink makes nginx.conf the link again when it says what the tree's own does.
func (a *agent) relink() error {
	if !a.applier.unlinked(a.disk.current()) {
		return nil
	}
	is, err := os.ReadFile(a.nginx.conf)
	if err != nil {
		return err
	}
	if want, err := os.ReadFile(a.disk.main()); err != nil || !bytes.Equal(is, want) {
		return err
	}
	return a.nginx.replaceMain(func(tmp string) error { return os.Symlink(a.disk.main(), tmp) })
}

// makeDir makes a folder that somebody has removed, with those above it.
func makeDir(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// reloadSettled makes nginx read the files again, unless it had never read the edit.
func (a *agent) reloadSettled(ctx context.Context) {
	files, err := a.files()
	if err != nil || a.nginx.master() == 0 || fingerprint(files, a.disk.link()) == a.loads.Fingerprint {
		return
	}
	if f := a.applier.reactivate(ctx, a.disk.current()); f != nil && ctx.Err() == nil {
		a.failed = f
		a.cfg.Log.Error("nginx did not load the files after an edit was taken back", "step", f.Step, "error", f.Message)
	}
}

// maxSettled bounds the results in a report.
const maxSettled = 50

// settled remembers the newest result for each hunk.
func (a *agent) settled(hunks []string, err error) {
	for _, id := range hunks {
		r := gateway.SettleResult{Hunk: id, At: time.Now().UTC()}
		if err != nil {
			r.Error = err.Error()
		} else {
			a.cfg.Log.Info("an edit by hand was taken back", "hunk", id)
		}
		a.results = slices.DeleteFunc(a.results, func(old gateway.SettleResult) bool { return old.Hunk == id })
		a.results = append(a.results, r)
	}
	a.results = slices.Clone(a.results[max(0, len(a.results)-maxSettled):])
}
