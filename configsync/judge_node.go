package configsync

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	checksDesc      = prometheus.NewDesc("sluice_fleet_checks_total", "Checks of bundles by an nginx beside the control plane, by result.", []string{"result"}, nil)
	quarantinedDesc = prometheus.NewDesc("sluice_fleet_quarantined_files", "Files of a fleet's bundles that do not go out as rendered, because nginx refuses them.", []string{"fleet"}, nil)
)

// learnRefusal quarantines a file that a node did not take at its own check. Not when another
// node of the same kind has taken the same bundle: then that one node is odd. mu is held.
func (c *Controller) learnRefusal(f *fleetState, n *node) {
	failed := n.report.Failed
	if failed == nil || failed.Step != "check" || n.rendering.tree == nil || failed.Digest != n.rendering.tree.Digest {
		return
	}
	for _, other := range f.nodes {
		if other != n && other.key == n.key && (other.report.OnDisk == failed.Digest || other.report.Running == failed.Digest) {
			return
		}
	}
	if c.judge.refuse(f.name, n.key, n.report.Node, n.rendering.tree, failed) {
		go c.Refresh() // takes mu
	}
}

// collect tells the metrics, when there is anything that checks.
func (j *judge) collect(ch chan<- prometheus.Metric) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.check == nil {
		return
	}
	for _, result := range []string{"ok", "refused", "unavailable"} {
		ch <- prometheus.MustNewConstMetric(checksDesc, prometheus.CounterValue, float64(j.counts[result]), result)
	}
	files := map[string]map[string]bool{}
	for key, st := range j.states {
		if files[key.fleet] == nil {
			files[key.fleet] = map[string]bool{}
		}
		for path := range st.forms {
			files[key.fleet][path] = true
		}
	}
	for _, fleet := range slices.Sorted(maps.Keys(files)) {
		ch <- prometheus.MustNewConstMetric(quarantinedDesc, prometheus.GaugeValue, float64(len(files[fleet])), fleet)
	}
}

// Quarantined says which files of a fleet's bundles do not go out as rendered, and in which
// form they do, by path: "last_good" or "left_out".
func (c *Controller) Quarantined(fleet string) map[string]string {
	c.judge.mu.Lock()
	defer c.judge.mu.Unlock()
	list := map[string]string{}
	for key, st := range c.judge.states {
		for path, f := range st.forms {
			if key.fleet == fleet && f == lastGood && list[path] == "" {
				list[path] = "last_good"
			} else if key.fleet == fleet && f == neutral {
				list[path] = "left_out"
			}
		}
	}
	return list
}
