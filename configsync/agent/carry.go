package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// carry brings the allowed edits of the previous tree into a staged one. An edit that has no
// place there any more, or that nginx refuses together with the new bundle, is left behind;
// the report lists it as overwritten.
func (a *applier) carry(ctx context.Context, previous string, tree *nginxconf.Tree) error {
	if len(a.allowed) == 0 || previous == "" || previous == tree.Digest {
		return nil
	}
	before := a.disk.pristine(previous)
	if before == nil {
		return nil
	}
	list, err := a.drifted(previous, before)
	if err != nil {
		return err
	}
	changed := false
	for _, d := range list {
		done, err := a.carryFile(previous, before, tree, d)
		if err != nil {
			return err
		}
		changed = changed || done
	}
	if !changed {
		return nil
	}
	if e := a.nginx.check(ctx, a.disk, tree.Digest); e != nil {
		a.cfg.Log.Warn("allowed edits do not go with the new bundle, which is applied without them", "digest", tree.Digest, "error", e.message, "file", e.file, "line", e.line)
		return errors.Join(os.RemoveAll(a.disk.tree(tree.Digest)), a.disk.stage(tree))
	}
	return nil
}

// carryFile brings the allowed edits of one file over and says whether there were any.
func (a *applier) carryFile(previous string, before, tree *nginxconf.Tree, d gateway.FileDrift) (bool, error) {
	edited, err := os.ReadFile(a.place(previous, d.Path))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	was, places := a.places(previous), a.places(tree.Digest)
	base := textOf(tree, d.Path)
	text, conflicts := nginxconf.Splice(d.Path, nginxconf.NewSide(d.Path, base, places), nginxconf.NewSide(d.Path, textOf(before, d.Path), was),
		nginxconf.NewSide(d.Path, string(edited), was), func(h gateway.Hunk) bool { return a.allowed[h.ID] })
	for _, h := range conflicts {
		a.cfg.Log.Warn("an allowed edit has no place in the new bundle and is left behind", "file", d.Path, "hunk", h.ID, "directive", h.Directive)
	}
	if text == base {
		return false, nil
	}
	path := filepath.Join(a.disk.tree(tree.Digest), filepath.FromSlash(d.Path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	return true, writeFile(path, []byte(text), nil)
}

func textOf(tree *nginxconf.Tree, path string) string {
	if f := tree.File(path); f != nil {
		return f.Data
	}
	return ""
}

// lost are those of the edits of a replaced tree that the new one does not have: neither
// carried over nor adopted.
func (a *applier) lost(list []gateway.FileDrift, previous, digest string) []gateway.FileDrift {
	var out []gateway.FileDrift
	for _, d := range list {
		edited := a.normal(previous, d.Path)
		if edited != a.normal(digest, d.Path) {
			out = append(out, d)
		}
	}
	return out
}

// normal is what a file of a tree means, and something else when it is not there.
func (a *applier) normal(digest, path string) string {
	b, err := os.ReadFile(a.place(digest, path))
	if err != nil {
		return "}"
	}
	return nginxconf.NewSide(path, string(b), a.places(digest)).Normal()
}
