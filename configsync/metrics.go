package configsync

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

var (
	nodesDesc   = prometheus.NewDesc("sluice_fleet_nodes", "Nodes of a fleet by state.", []string{"fleet", "state"}, nil)
	reloadsDesc = prometheus.NewDesc("sluice_nginx_reloads_total", "Reloads of a node's nginx since its agent's start.", []string{"node", "result"}, nil)
)

var nodeStates = []gateway.NodeState{gateway.NodeSilent, gateway.NodeFailed, gateway.NodeDrifted, gateway.NodeRolling, gateway.NodeInSync}

// Describe implements prometheus.Collector.
func (c *Controller) Describe(ch chan<- *prometheus.Desc) {
	ch <- nodesDesc
	ch <- reloadsDesc
	ch <- revisionDesc
	ch <- rolloutDesc
	ch <- changedDesc
	ch <- checksDesc
	ch <- quarantinedDesc
}

// Collect implements prometheus.Collector. Every state of a fleet is there, so that an
// alert on it finds a zero.
func (c *Controller) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collectRollouts(ch)
	now := c.cfg.Now()
	done, failed := map[string]uint64{}, map[string]uint64{}
	for _, name := range slices.Sorted(maps.Keys(c.fleets)) {
		count := map[gateway.NodeState]int{}
		f := c.fleets[name]
		for node, n := range f.nodes {
			count[f.view(n, now, c.snapshot.Allowances).State]++
			done[node] += n.report.Reloads
			failed[node] += n.report.ReloadsFailed
		}
		for _, n := range c.absent(f) {
			if !c.Awaited(&n) {
				count[n.State]++
			}
		}
		for _, s := range nodeStates {
			ch <- prometheus.MustNewConstMetric(nodesDesc, prometheus.GaugeValue, float64(count[s]), name, string(s))
		}
	}
	c.judge.collect(ch)
	for node := range done {
		ch <- prometheus.MustNewConstMetric(reloadsDesc, prometheus.CounterValue, float64(done[node]), node, "ok")
		ch <- prometheus.MustNewConstMetric(reloadsDesc, prometheus.CounterValue, float64(failed[node]), node, "failed")
	}
}
