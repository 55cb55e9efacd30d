package configsync

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// sight is what matters of a node for rollouts.
type sight struct {
	Up bool `json:"up,omitempty"` // its nginx answers
	// Revision whose files it should run, as the control plane knew that it reports to; Runs and
	// Refused are about it.
	Revision uint64 `json:"revision,omitempty"`
	Runs     bool   `json:"runs,omitempty"`
	Refused  string `json:"refused,omitempty"`
}

// peerNode is a node that reports to another control plane.
type peerNode struct {
	sight
	Silent bool              `json:"silent,omitempty"`
	Facts  gateway.NodeFacts `json:"facts"`
	Tally  tally             `json:"tally,omitempty"`
}

// upGrace is for how long an nginx that does not answer is taken for slow.
const upGrace = 10 * time.Second

// maxShared is for how many servers of all nodes counts are shared with the leader; where there
// are more, the sums of the nodes are.
const maxShared = 5000

// sightOf is what a report says about the revision that the node should run. mu is held.
func (f *fleetState) sightOf(n *node) sight {
	r := n.report
	s := sight{Up: r.Running != "", Revision: f.record.assigned(r.Node)}
	t := f.tracks[trackKey{s.Revision, keyID(n.key)}]
	if f.plan.AtOnce {
		s.Runs = r.Running == n.rendering.tree.Digest
		return s
	}
	if t == nil {
		return s
	}
	s.Runs = t.runs(r.Running) && t.runs(r.OnDisk)
	switch {
	case r.Failed != nil && t.runs(r.Failed.Digest):
		s.Refused = fmt.Sprintf("step %s failed: %s", r.Failed.Step, r.Failed.Message)
		if r.Failed.File != "" {
			s.Refused += fmt.Sprintf(" (%s:%d)", r.Failed.File, r.Failed.Line)
		}
	case s.Runs && r.CheckError != "":
		s.Refused = "nginx would not load its files again: " + r.CheckError
	}
	return s
}

// peerFacts are the facts of nodes that report elsewhere, by key.
func (f *fleetState) peerFacts() map[string]gateway.NodeFacts {
	out := map[string]gateway.NodeFacts{}
	if f.plan.AtOnce {
		return out
	}
	for _, p := range f.peers {
		out[factsKey(p.Facts)] = p.Facts
	}
	return out
}

// notice is what other control planes are told of the nodes that report here.
func (c *Controller) notice() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, all, servers := c.cfg.Now(), map[string]map[string]peerNode{}, 0
	for name, f := range c.fleets {
		if f.record == nil {
			continue
		}
		nodes := map[string]peerNode{}
		for node, n := range f.nodes {
			nodes[node] = peerNode{sight: f.sightOf(n), Silent: now.Sub(n.report.ReportedAt) > silentAfter, Facts: renderFacts(n.report.Facts), Tally: maps.Clone(n.tally)}
			servers += len(n.tally)
			if p := nodes[node]; f.plan.AtOnce {
				p.Tally, p.Facts = nil, gateway.NodeFacts{}
				nodes[node] = p
			}
		}
		if len(nodes) > 0 {
			all[name] = nodes
		}
	}
	for _, nodes := range all {
		for node, p := range nodes {
			if servers > maxShared {
				if p.Tally != nil {
					p.Tally = tally{everything: p.Tally[everything]}
				}
				nodes[node] = p
			}
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		panic("configsync: plain data always marshals: " + err.Error())
	}
	return b
}

// takeNotices takes what other control planes tell of their nodes, by control plane; nil when
// nothing is known any more.
func (c *Controller) takeNotices(own string, all map[string][]byte) {
	merged := map[string]map[string]peerNode{}
	for from, b := range all {
		var fleets map[string]map[string]peerNode
		if from == own {
			continue
		}
		if err := json.Unmarshal(b, &fleets); err != nil {
			c.cfg.Log.Warn("another control plane says something that this version can not read", "from", from, "error", err)
			continue
		}
		for fleet, nodes := range fleets {
			if merged[fleet] == nil {
				merged[fleet] = map[string]peerNode{}
			}
			for name, p := range nodes {
				if known, ok := merged[fleet][name]; !ok || known.Silent {
					merged[fleet][name] = p
				}
			}
		}
	}
	c.mu.Lock()
	for name, f := range c.fleets {
		f.peers = merged[name]
		for _, p := range f.peers {
			if f.exists && !f.plan.AtOnce {
				c.renderingFor(f, p.Facts)
			}
		}
		for node := range f.nodes {
			if n := f.nodes[node]; c.cfg.Now().Sub(n.report.ReportedAt) <= silentAfter {
				delete(f.peers, node)
			}
		}
	}
	moved := c.endMoves()
	c.mu.Unlock()
	if moved {
		c.Refresh()
	}
}

// nodeViews is what is known of the members of a fleet. mu is held.
func (f *fleetState) nodeViews(members []string, listening, now time.Time) map[string]nodeView {
	views := map[string]nodeView{}
	for name, p := range f.peers {
		views[name] = nodeView{sight: p.sight, heard: !p.Silent}
	}
	for name, n := range f.nodes {
		if heard := now.Sub(n.report.ReportedAt) <= silentAfter; heard || !views[name].heard {
			views[name] = nodeView{sight: f.sightOf(n), heard: heard}
		}
	}
	for name, v := range views {
		if v.heard {
			f.lastHeard[name] = now
		}
		switch {
		case v.Up:
			f.lastUp[name] = now
		case now.Sub(f.lastUp[name]) <= upGrace:
			v.Up, v.Runs = true, false
			views[name] = v
		}
	}
	old := func(_ string, at time.Time) bool { return now.Sub(at) > 10*silentAfter }
	maps.DeleteFunc(f.lastHeard, old)
	maps.DeleteFunc(f.lastUp, old)
	for _, name := range members {
		last := f.lastHeard[name]
		if last.Before(listening) {
			last = listening
		}
		if _, known := views[name]; !known && now.Sub(last) <= silentAfter {
			views[name] = nodeView{wait: true}
		}
	}
	return views
}
