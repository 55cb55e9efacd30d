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
// loads count: an editor's backup changes nothing.
func drift(dir string, tree *nginxconf.Tree) ([]gateway.FileDrift, error) {
	var list []gateway.FileDrift
	for _, f := range tree.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		b, err := os.ReadFile(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			list = append(list, fileDrift(f.Path, "removed", f.Shown(), ""))
		case err != nil:
			return nil, err
		case string(b) != f.Data:
			list = append(list, fileDrift(f.Path, "modified", f.Shown(), nginxconf.ShownAt(f.Path, string(b))))
		case f.Mode != 0 && !hasMode(path, f.Perm()):
			list = append(list, fileDrift(f.Path, "modified", fmt.Sprintf("mode %o\n", f.Perm()), "another mode\n"))
		}
	}
	for _, path := range glob(filepath.Join(dir, nginxconf.Include)) {
		name := filepath.ToSlash(strings.TrimPrefix(path, dir+"/"))
		if tree.File(name) != nil {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		list = append(list, fileDrift(name, "added", "", string(b)))
	}
	slices.SortFunc(list, func(a, b gateway.FileDrift) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

// hasMode says whether nobody has changed the permissions of a private key.
func hasMode(path string, want os.FileMode) bool {
	info, err := os.Stat(path)
	return err != nil || info.Mode().Perm() == want
}

func fileDrift(path, change, want, is string) gateway.FileDrift {
	return gateway.FileDrift{Path: path, Change: change, Diff: udiff.Unified("desired/"+path, "node/"+path, want, is)}
}
