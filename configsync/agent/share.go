package agent

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// share makes a file of a new tree a further name of the file in the tree that is live, when
// that has the same bytes, and says whether it did. It is durable already, so that a change of
// one endpoint does not wait for the disk a thousand times.
//
// An edit by hand that writes in place shows in both trees then. It is found as before: a tree is
// compared with its bundle, and an edited file is never shared.
func (d disk) share(path string, f *nginxconf.File, made map[string]bool) bool {
	live := d.current()
	if live == "" {
		return false
	}
	old := filepath.Join(d.tree(live), filepath.FromSlash(f.Path))
	info, err := os.Lstat(old)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o644 || info.Size() != int64(len(f.Data)) {
		return false
	}
	if is, err := d.read.read(old); err != nil || string(is.data) != f.Data {
		return false
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false
	}
	made[dir] = true
	return os.Link(old, path) == nil
}

// test asks nginx whether it would load the files, unless it just has: the tree is the one that
// it loaded last, byte by byte, and the other files are as they were at the last look.
func (a *agent) test(ctx context.Context, files []loadedFile, onDisk string) *nginxError {
	outside := sha256.New()
	tree, same := a.pristineTree(onDisk), 0
	for _, f := range files {
		name, inside := strings.CutPrefix(f.path, a.disk.link()+"/")
		if !inside {
			outside.Write([]byte(f.path + "\x00"))
			outside.Write(f.data)
			continue
		}
		if tree != nil {
			if want := tree.File(name); want != nil && want.Data == string(f.data) {
				same++
				continue
			}
		}
		same = -len(files) // one of them is not the tree's
	}
	sum := string(outside.Sum(nil))
	known := a.outside == sum
	a.outside = sum
	if known && tree != nil && a.loaded == onDisk && same == len(tree.Files) {
		return nil
	}
	return a.nginx.test(ctx, a.nginx.conf)
}
