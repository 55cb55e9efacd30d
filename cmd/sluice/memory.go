package main

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

// gcPercent is how much garbage may gather, in percent of what is in use. Requests allocate
// next to nothing, so collections are rare and the default of 100 would only hold memory:
// 70 MB of it at 10,000 hosts.
const gcPercent = 50

// boundGarbage sets it, unless the environment does.
func boundGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
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
	case <-time.After(settleAfter):
		debug.FreeOSMemory()
	}
	return nil
}
