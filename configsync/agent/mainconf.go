package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// In mode full a bundle holds nginx.conf itself. nginx goes on being started as it always
// was, so the file that it is started with becomes a link into the current tree, and what
// stood there before is kept in the agent's folder. In mode include the file is put back.

// kept is where nginx.conf stays while Sluice has it.
func (d disk) kept() string { return filepath.Join(d.root, "nginx.conf.kept") }

// main is nginx.conf in the current tree.
func (d disk) main() string { return filepath.Join(d.link(), nginxconf.MainFile) }

// full says whether a tree on disk brings its own nginx.conf.
func (d disk) full(digest string) bool {
	_, err := os.Lstat(filepath.Join(d.tree(digest), nginxconf.MainFile))
	return digest != "" && err == nil
}

// owned says whether nginx is started with the file of the current tree.
func (n *nginx) owned(d disk) bool {
	target, err := os.Readlink(n.conf)
	return err == nil && target == d.main()
}

// ownMain is the nginx.conf that people wrote, whether or not Sluice has replaced it.
func (n *nginx) ownMain(d disk) string {
	if n.owned(d) {
		return d.kept()
	}
	return n.conf
}

// mainFor is the nginx.conf that a staged tree is going to be loaded with.
func (n *nginx) mainFor(d disk, digest string) string {
	if d.full(digest) {
		return filepath.Join(d.tree(digest), nginxconf.MainFile)
	}
	return n.ownMain(d)
}

// files are all that nginx loads. The tree's own nginx.conf goes by its name in the tree.
func (n *nginx) files(d disk) ([]loadedFile, error) {
	list, err := loadFiles(n.conf, n.seen, d.read)
	if err == nil && n.owned(d) {
		list[0].path = d.main()
	}
	return list, err
}

// learnMain finds what the node's own nginx.conf says about the node, for a rendered one.
// before is what stood there before nginx -t accepted it: a file that somebody is writing just
// now may be cut short, and without its "pid" nginx would be lost.
func (n *nginx) learnMain(d disk, before []byte) {
	path := n.ownMain(d)
	data, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(data, before) {
		return // what was known stays
	}
	if parsed, err := nginxconf.Parse(path, string(data)); err == nil {
		m, left := nginxconf.NodeMain(parsed)
		n.main, n.leftOut = &m, left
	}
}

// samePID refuses a rendered nginx.conf that would make the running nginx move its pid file,
// by which it is known here.
func (n *nginx) samePID(d disk, digest string) error {
	if !d.full(digest) || n.master() == 0 {
		return nil
	}
	path := filepath.Join(d.tree(digest), nginxconf.MainFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	parsed, err := nginxconf.Parse(path, string(data))
	if err != nil {
		return err
	}
	if next := n.pidOf([]loadedFile{{config: parsed}}); next != n.pidPath {
		return fmt.Errorf("the rendered nginx.conf has the pid file %s, and nginx runs with %s", next, n.pidPath)
	}
	return nil
}

// takeMain makes nginx.conf a link into the current tree. The old file is safe first.
func (n *nginx) takeMain(d disk) error {
	if n.owned(d) {
		return nil
	}
	data, err := os.ReadFile(n.conf)
	if err != nil {
		return fmt.Errorf("keep nginx.conf: %w", err)
	}
	if old, err := os.ReadFile(d.kept()); err == nil && !bytes.Equal(old, data) { // somebody wrote another one meanwhile
		if err := os.Rename(d.kept(), d.kept()+"-"+time.Now().UTC().Format("20060102T150405.000")); err != nil {
			return fmt.Errorf("keep nginx.conf: %w", err)
		}
	}
	if err := writeFile(d.kept(), data, nil); err != nil {
		return fmt.Errorf("keep nginx.conf: %w", err)
	}
	d.reach(atMainKept)
	return n.replaceMain(func(tmp string) error { return os.Symlink(d.main(), tmp) })
}

// giveMainBack puts the kept nginx.conf back where it was.
func (n *nginx) giveMainBack(d disk) error {
	if !n.owned(d) {
		return nil
	}
	data, err := os.ReadFile(d.kept())
	if err != nil {
		return fmt.Errorf("put nginx.conf back: %w", err)
	}
	return n.replaceMain(func(tmp string) error {
		return writeFile(tmp, data, nil)
	})
}

// replaceMain swaps nginx.conf in one step.
func (n *nginx) replaceMain(write func(tmp string) error) error {
	dir := filepath.Dir(n.conf)
	tmp := filepath.Join(dir, leftName+"main")
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := write(tmp); err != nil {
		return errors.Join(fmt.Errorf("replace %s: %w", n.conf, err), os.RemoveAll(tmp))
	}
	if err := os.Rename(tmp, n.conf); err != nil {
		return err
	}
	return syncDir(dir)
}

// flipTo points the link at a tree and nginx.conf at what goes with it. A link from
// nginx.conf into a tree that has none would stop a restart, so it goes first and comes last.
func (a *applier) flipTo(digest string, half, flipped point) error {
	full := a.disk.full(digest)
	if !full {
		if err := a.nginx.giveMainBack(a.disk); err != nil {
			return err
		}
	}
	if a.disk.current() != digest || digest == "" {
		if err := a.disk.flip(digest, half, flipped); err != nil {
			return err
		}
	}
	if !full || a.nginx.owned(a.disk) {
		return nil
	}
	a.cfg.Log.Info("Sluice takes nginx.conf over; the old one is kept", "file", a.nginx.conf, "kept", a.disk.kept(), "left_out", a.nginx.leftOut)
	return a.nginx.takeMain(a.disk)
}
