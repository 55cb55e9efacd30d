package agent

import "time"

// orphanPulse replaces pulse while workers serve without a master: a start of nginx tries to
// take its addresses for 2.5 s, and in that time the orphans have to give them up.
const orphanPulse = 200 * time.Millisecond

// seeOrphans looks for workers whose master was killed. They serve on and keep the addresses,
// so they are left alone until somebody starts nginx again: then they finish what they have.
func (a *agent) seeOrphans() (changed bool) {
	var list []worker
	if a.nginx.master() == 0 {
		list = a.loads.orphans()
	}
	changed = len(list) != len(a.orphans)
	if len(list) > 0 && changed {
		a.cfg.Log.Error("nginx's master process is gone and its workers serve on without it; start nginx again, the agent then ends them", "workers", len(list))
	}
	a.orphans = list
	if len(list) == 0 || !a.nginx.starting() {
		return changed
	}
	for _, w := range list {
		if err := w.end(); err != nil {
			a.cfg.Log.Error("end a worker without a master", "pid", w.pid, "error", err)
		}
	}
	a.cfg.Log.Warn("ended the workers without a master, since nginx is being started", "workers", len(list))
	return true
}

func pids(list []worker) (out []int) {
	for _, w := range list {
		out = append(out, w.pid)
	}
	return out
}
