package configsync

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// roster says who has enrolled, by fleet and node, and whether it was revoked. Reports are memory
// of this process: without the roster a node that is down when a control plane starts would be in
// no list, and nobody would miss it.
type roster struct {
	revoked map[protocol.Peer]bool
	since   time.Time // when this control plane began to listen
}

// Enrolled tells which nodes have enrolled, and whether each was revoked. The map is the
// controller's from then on.
func (c *Controller) Enrolled(revoked map[protocol.Peer]bool) {
	c.mu.Lock()
	was := c.roster.revoked
	c.roster.revoked = revoked
	c.mu.Unlock()
	if maps.Equal(was, revoked) {
		return
	}
	fleets := map[string]bool{}
	for p := range revoked {
		fleets[p.Fleet] = true
	}
	for p := range was {
		fleets[p.Fleet] = true
	}
	for fleet := range fleets {
		c.cfg.Changed(fleet)
	}
	c.publish()
}

// absent are nodes that have enrolled and have not reported to any control plane since this one
// was started, by name. mu is held.
func (c *Controller) absent(f *fleetState) []gateway.Node {
	var list []gateway.Node
	for p := range c.roster.revoked {
		if p.Fleet != f.name || f.nodes[p.Node] != nil {
			continue
		}
		if peer, elsewhere := f.peers[p.Node]; !elsewhere || peer.Silent {
			list = append(list, c.absentee(p))
		}
	}
	slices.SortFunc(list, func(a, b gateway.Node) int { return strings.Compare(a.Node, b.Node) })
	return list
}

func (c *Controller) absentee(p protocol.Peer) gateway.Node {
	return gateway.Node{NodeReport: gateway.NodeReport{Fleet: p.Fleet, Node: p.Node}, State: gateway.NodeSilent, Revoked: c.roster.revoked[p]}
}

// Awaited says that a node has not been heard since this control plane was started, which was so
// short a time ago that it need not mean anything.
func (c *Controller) Awaited(n *gateway.Node) bool {
	return n.State == gateway.NodeSilent && n.ReportedAt.IsZero() && c.cfg.Now().Sub(c.roster.since) <= silentAfter
}

// orphanProblems tell of nodes whose fleet is gone: nobody sees what they run. mu is held.
func (c *Controller) orphanProblems() (list []gateway.Problem) {
	nodes := map[string][]string{}
	for p, revoked := range c.roster.revoked {
		if f := c.fleets[p.Fleet]; !revoked && c.snapshot != nil && (f == nil || !f.exists) {
			nodes[p.Fleet] = append(nodes[p.Fleet], p.Node)
		}
	}
	for fleet, names := range nodes {
		slices.Sort(names)
		list = append(list, gateway.Problem{Object: gateway.Ref{Kind: gateway.KindFleet, Name: fleet}, Code: "fleet_missing", Source: "fleet " + fleet,
			Message: fmt.Sprintf("There is no fleet %q any more, and %d enrolled nodes go on with what they have: %s. Create the fleet again, or enrol them in another one and forget them here with `sluice fleet forget NODE --fleet %s`",
				fleet, len(names), someOf(names), fleet)})
	}
	return list
}

// someOf names the first of many.
func someOf(names []string) string {
	const most = 10
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
