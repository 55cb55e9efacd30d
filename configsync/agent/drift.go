package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// drift compares a tree on disk with the bundle that it was made from. Only files that nginx
// loads count: an editor's backup changes nothing. places are the node's, so that hunks have
// the same identity on all nodes.
func (d disk) drift(dir string, tree *nginxconf.Tree, places nginxconf.Places) ([]gateway.FileDrift, error) {
	var list []gateway.FileDrift
	for _, f := range tree.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		is, err := d.read.read(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			list = append(list, fileDrift(f.Path, "removed", f.Data, "", places))
		case err != nil:
			return nil, err
		case string(is.data) != f.Data:
			list = append(list, fileDrift(f.Path, "modified", f.Data, string(is.data), places))
		case f.Mode != 0 && is.perm != f.Perm():
			list = append(list, fileDrift(f.Path, "modified", fmt.Sprintf("mode %o;\n", f.Perm()), "mode another;\n", places))
		}
	}
	for _, path := range d.read.glob(filepath.Join(dir, nginxconf.Include)) {
		name := filepath.ToSlash(strings.TrimPrefix(path, dir+"/"))
		if tree.File(name) != nil {
			continue
		}
		is, err := d.read.read(path)
		if err != nil {
			return nil, err
		}
		list = append(list, fileDrift(name, "added", "", string(is.data), places))
	}
	slices.SortFunc(list, func(a, b gateway.FileDrift) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

// fileDrift says how a file differs. Secrets are told apart and not shown.
func fileDrift(path, change, want, is string, places nginxconf.Places) gateway.FileDrift {
	if nginxconf.HasSecret(want) || nginxconf.HasSecret(is) {
		want, is = hideNonEmpty(want), hideNonEmpty(is)
	}
	d := gateway.FileDrift{Path: path, Change: change, Diff: udiff.Unified("desired/"+path, "node/"+path, want, is)}
	d.Hunks = nginxconf.Compare(path, nginxconf.NewSide(path, want, places), nginxconf.NewSide(path, is, places))
	return d
}

func hideNonEmpty(text string) string {
	if text == "" {
		return ""
	}
	return nginxconf.Hide(text)
}

// places are the values of this node that hunks do not mind.
func (a *applier) places(digest string) nginxconf.Places {
	return nginxconf.PlacesOf(gateway.NodeFacts{ConfPath: a.nginx.conf, TreePath: a.disk.link(), Listen: a.cfg.Listen, DigestListen: a.cfg.DigestListen}, digest)
}

// drifted compares the tree with the digest with its bundle, and in mode full the file that
// somebody has put in the place of the link to its nginx.conf. Without a bundle nothing is
// known.
func (a *applier) drifted(digest string, tree *nginxconf.Tree) ([]gateway.FileDrift, error) {
	places := a.places(digest)
	list, err := a.disk.drift(a.disk.tree(digest), tree, places)
	if err != nil {
		return nil, fmt.Errorf("compare tree %s with its bundle: %w", digest, err)
	}
	if !a.unlinked(digest) {
		return list, nil
	}
	b, err := os.ReadFile(a.nginx.conf)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(d gateway.FileDrift) bool { return d.Path == nginxconf.MainFile }) // nginx does not load that one
	if want := textOf(tree, nginxconf.MainFile); want != string(b) {
		list = append(list, fileDrift(nginxconf.MainFile, "modified", want, string(b), places))
		slices.SortFunc(list, func(a, b gateway.FileDrift) int { return strings.Compare(a.Path, b.Path) })
	}
	return list, nil
}

// unlinked says whether the tree on disk brings its own nginx.conf and nginx is started with
// another one: sed -i, for one, puts a file in the place of a link.
func (a *applier) unlinked(digest string) bool {
	return digest != "" && digest == a.disk.current() && a.disk.full(digest) && !a.nginx.owned(a.disk)
}

// place is where nginx finds a file of a tree.
func (a *applier) place(digest, path string) string {
	if path == nginxconf.MainFile && a.unlinked(digest) {
		return a.nginx.conf
	}
	return filepath.Join(a.disk.tree(digest), filepath.FromSlash(path))
}
