package health

import (
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// pulse is the newest probe of one endpoint.
type pulse struct {
	at      time.Time // zero: there was none
	problem string    // empty: it succeeded
}

// Heartbeats lists how the newest probes of an upstream ended, by address. An endpoint that
// was not probed yet is not listed.
func (h *Health) Heartbeats(k gateway.UpstreamKey) []gateway.Heartbeat {
	u := (*h.live.Load())[k]
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.tracker.heartbeats()
}

func (t *Tracker) heartbeats() []gateway.Heartbeat {
	var beats []gateway.Heartbeat
	for _, e := range t.endpoints {
		if a := &e.active; !a.newest.at.IsZero() {
			beats = append(beats, gateway.Heartbeat{Address: e.key.Address, At: a.newest.at, Failures: a.failures, Error: a.newest.problem})
		}
	}
	return beats
}
