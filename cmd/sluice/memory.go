package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// gcPercent is how much garbage may gather, in percent of what is in use. Requests allocate
// next to nothing, so collections are rare and the default of 100 would only hold memory:
// 70 MB of it at 10,000 hosts.
const gcPercent = 50

// gcFloor is the size that the heap may have in any case. A small configuration that changes often
// would else be collected twice a second, and with one core to run on a collection makes requests
// wait for some milliseconds, while it sweeps.
const gcFloor = 32 << 20

// boundGarbage keeps to both, unless the environment says what to do.
func boundGarbage() {
	if os.Getenv("GOGC") == "" {
		(&garbage{}).rearm()
	}
}

// garbage is collected itself, and so learns of each collection.
type garbage struct{ percent int }

// rearm sets how much may gather until the next collection.
func (g *garbage) rearm() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	percent := gcPercent
	if n := live[0].Value.Uint64(); n < gcFloor {
		percent = max(gcPercent, int((gcFloor-n)*100/max(n, 1<<20)))
	}
	next := &garbage{g.percent}
	if d := percent - g.percent; d < -20 || d > 20 || percent == gcPercent && d != 0 { // setting it stops the world for a moment
		debug.SetGCPercent(percent)
		next.percent = percent
	}
	runtime.SetFinalizer(next, (*garbage).rearm)
}

// settleAfter is how long after the start memory is given back.
const settleAfter = 2 * time.Second

// settle gives back what only the start needed: reading, storing and deciding everything at
// once leaves several times as much garbage as there is to keep, and the runtime by itself
// returns it over minutes.
func (a *App) settle(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-a.ready.complete:
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(settleAfter):
	}
	debug.FreeOSMemory()
	if a.away() {
		return nil
	}
	if err := a.store.Unload(); err != nil {
		a.log.Info("memory of the start is kept", "err", err)
	}
	return nil
}
