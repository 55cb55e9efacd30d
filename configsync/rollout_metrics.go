package configsync

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

var (
	revisionDesc = prometheus.NewDesc("sluice_fleet_revision", "Number of the newest revision of a fleet.", []string{"fleet"}, nil)
	rolloutDesc  = prometheus.NewDesc("sluice_fleet_rollout", "1 for the state of the last rollout of a fleet; paused comes beside it.", []string{"fleet", "state"}, nil)
	changedDesc  = prometheus.NewDesc("sluice_fleet_rollout_nodes", "Nodes that were given the change of the rollout under way.", []string{"fleet"}, nil)
)

var rolloutStates = []gateway.RolloutState{gateway.RolloutRolling, gateway.RolloutBaking, gateway.RolloutDone, gateway.RolloutSuperseded, gateway.RolloutFailed, gateway.RolloutAborted}

// collectRollouts tells how far rollouts are. Every state is there, so that an alert on it finds
// a zero. mu is held.
func (c *Controller) collectRollouts(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for name, f := range c.fleets {
		if f.record == nil || f.record.Base.Number == 0 {
			continue
		}
		gauge(revisionDesc, float64(f.record.Last), name)
		var state gateway.RolloutState
		paused, changed := 0.0, 0
		if ro := f.record.Rollout; ro != nil {
			state = ro.State
			if ro.Paused {
				paused = 1
			}
			if ro.State.Active() {
				changed = count(ro)
			}
		}
		for _, s := range rolloutStates {
			is := 0.0
			if s == state {
				is = 1
			}
			gauge(rolloutDesc, is, name, string(s))
		}
		gauge(rolloutDesc, paused, name, "paused")
		gauge(changedDesc, float64(changed), name)
	}
}
