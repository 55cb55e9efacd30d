package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// prepare finds nginx and takes it and the folder for itself.
func (a *agent) prepare(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			a.locks.release()
		}
	}()
	if a.nginx, err = findNginx(ctx, a.cfg); err != nil {
		return err
	}
	if err := a.lock(); err != nil {
		return err
	}
	a.nginx.listen = nginxconf.DigestListen(gateway.NodeFacts{TreePath: a.disk.link(), DigestListen: a.cfg.DigestListen})
	if len(a.nginx.listen) > len("unix:")+107 {
		return fmt.Errorf("the socket path %q is longer than the 107 bytes that the system allows: choose a shorter tree folder", a.nginx.listen)
	}
	a.loads = readLoads(a.disk.loads())
	a.applier = &applier{cfg: a.cfg, disk: a.disk, nginx: a.nginx, loaded: a.diskIsLoaded, applied: a.noteLoad}
	if a.live, err = newLive(a.cfg, a.disk); err != nil {
		return err
	}
	a.lua = luaFit{live: a.live, reason: "nginx's files are not read yet"}
	a.link = newLink(a.client, a.live.want)
	if a.outcomes, err = newOutcomes(a.cfg, a.disk); err != nil {
		return err
	}
	if a.watcher, err = newWatcher(a.cfg.Log); err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	return nil
}

// lock takes everything that only one agent may have to do with, and cleans up there.
func (a *agent) lock() error {
	if err := a.disk.prepare(); err != nil {
		return err
	}
	if err := a.locks.take(filepath.Join(a.disk.root, "lock"), "the folder "+a.disk.root); err != nil {
		return err
	}
	if err := a.locks.take(confLock(a.nginx.conf), a.nginx.conf); err != nil {
		return err
	}
	if err := a.disk.sweep(a.nginx.conf); err != nil {
		a.cfg.Log.Warn("clean up after the agent's last life", "error", err)
	}
	if err := a.learn(); err != nil {
		return err
	}
	err := a.locks.take(a.nginx.pidPath+".sluice-lock", "the nginx of "+a.nginx.pidPath)
	if err != nil && !errors.Is(err, errLocked) {
		a.cfg.Log.Warn("another agent with a nginx.conf of its own would not be noticed", "error", err)
		return nil
	}
	return err
}

// learn reads nginx's own configuration for the first time.
func (a *agent) learn() error {
	if strings.HasPrefix(a.nginx.conf, a.disk.link()+"/") {
		return fmt.Errorf("%s lies in the rendered tree: name the nginx.conf that nginx is started with; in fleets of mode full the agent makes it a link into the tree", a.nginx.conf)
	}
	files, err := a.nginx.files(a.disk)
	if err != nil {
		return err
	}
	a.nginx.learn(files, a.disk.link())
	return nil
}
