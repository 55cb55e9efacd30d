package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// drain has the health address of nginx answer 503 and waits until LVS must have seen it. It
// returns how that ends. The path is a link to this process in /proc, so that it also ends when
// the process is killed. A node that can not be drained gets its change all the same.
func (a *agent) drain(ctx context.Context, wait time.Duration) (end func()) {
	if wait <= 0 || a.nginx.master() == 0 {
		return func() {}
	}
	path := nginxconf.Draining(gateway.NodeFacts{TreePath: a.disk.link()})
	err := os.Remove(path)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = os.Symlink(fmt.Sprintf("/proc/%d", os.Getpid()), path)
	}
	if err != nil {
		a.cfg.Log.Warn("the node gets its change without being drained", "error", err)
		return func() {}
	}
	a.cfg.Log.Info("the node is drained before its change", "for", wait)
	sleep(ctx, wait)
	return func() {
		if err := os.Remove(path); err != nil {
			a.cfg.Log.Error("the node stays drained until its agent ends", "error", err)
		}
	}
}
