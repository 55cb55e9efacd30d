package agent

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// refresh notices an nginx binary that was replaced.
func (a *agent) refresh(ctx context.Context) {
	b, err := readBuild(ctx, a.nginx.binary)
	if err != nil {
		a.cfg.Log.Warn("look at the nginx binary", "error", err)
		return
	}
	if b.version != a.nginx.build.version {
		a.cfg.Log.Info("the nginx binary was replaced", "was", a.nginx.build.version, "is", b.version)
	}
	a.nginx.build = b
	a.nginx.old = nil
	if exe, old, err := a.nginx.replaced(ctx); err == nil && old.version != b.version {
		a.nginx.old, a.nginx.oldExe = &old, exe
	}
}

// beat says whether nginx was started, stopped, replaced or reloaded since the last look.
func (a *agent) beat(ctx context.Context) bool {
	changed := a.seeOrphans()
	a.retryWithRoom()
	if a.nginx.removeLeft(a.live.socket.path) {
		a.cfg.Log.Warn("removed the socket that a killed nginx left behind, so that nginx can start", "socket", a.live.socket.path)
	}
	if a.nginx.removeLeftSocket() {
		a.cfg.Log.Warn("removed the socket that a killed nginx left behind, so that nginx can start", "socket", a.nginx.listen)
	}
	pid := a.nginx.master()
	if stamp := fmt.Sprint(fileStamp(a.nginx.binary), pid); stamp != a.binaryStamp {
		if a.binaryStamp != "" {
			a.refresh(ctx)
			changed = true
		}
		a.binaryStamp = stamp
	}
	accepting, draining := a.nginx.workers()
	workers := processes(accepting)
	running, _, _ := a.applier.running(ctx) // as in observe
	changed = a.debt.see(accepting, draining, time.Now().UTC()) || changed || pid != a.lastMaster || running != a.seen.running || !slices.Equal(workers, a.lastWorkers) ||
		a.live.version() != a.reported.Live || a.live.failed() != a.lastLua
	a.lastMaster, a.lastWorkers, a.lastLua = pid, workers, a.live.failed()
	return changed || a.cfg.identity.ahead() != a.reported.ClockOff
}
