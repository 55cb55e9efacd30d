package configsync

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// silentAfter is about three reports: an idle agent reports every 25 seconds.
const silentAfter = 90 * time.Second

// node is what is known about one nginx.
type node struct {
	report    gateway.NodeReport
	key       string // factsKey of report.Facts
	rendering *rendering
	tree      *protocol.NodeTree // what it uploaded last
	problem   *gateway.Problem   // of its last failure
	tally     tally              // what its clients and endpoints answered

	shape *shape                        // see Controller.members
	files map[task]*protocol.SettleFile // to be written outside of the rendered tree; see makeFiles
	told  string                        // digest of the Settle that its agent has heard
	awake chan struct{}                 // closed when its agent should hear more; nil: it does not wait
}

func (n *node) peer() protocol.Peer {
	return protocol.Peer{Fleet: n.report.Fleet, Node: n.report.Node}
}

// Nodes lists the nodes of a fleet that have reported, and those that have enrolled and are silent
// since this control plane was started, by name.
func (c *Controller) Nodes(fleet string) ([]gateway.Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := c.find(fleet)
	if err != nil {
		return nil, err
	}
	now, list := c.cfg.Now(), make([]gateway.Node, 0, len(f.nodes))
	for _, name := range slices.Sorted(maps.Keys(f.nodes)) {
		list = append(list, c.view(f, f.nodes[name], now))
	}
	list = append(list, c.absent(f)...)
	slices.SortFunc(list, func(a, b gateway.Node) int { return strings.Compare(a.Node, b.Node) })
	return list, nil
}

// Node is one node of a fleet.
func (c *Controller) Node(fleet, name string) (gateway.Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, n, err := c.findNode(fleet, name)
	if p := (protocol.Peer{Fleet: fleet, Node: name}); n == nil && f != nil {
		if _, enrolled := c.roster.revoked[p]; enrolled {
			return c.absentee(p), nil
		}
	}
	if err != nil {
		return gateway.Node{}, err
	}
	return c.view(f, n, c.cfg.Now()), nil
}

// view is a node as people see it. mu is held.
func (c *Controller) view(f *fleetState, n *node, now time.Time) gateway.Node {
	out := f.view(n, now, c.snapshot.Allowances)
	out.Revoked = c.roster.revoked[protocol.Peer{Fleet: f.name, Node: n.report.Node}]
	return out
}

// Forget drops a node that is gone for good. One that still reports comes back.
func (c *Controller) Forget(fleet, name string) error {
	c.mu.Lock()
	f, _, err := c.findNode(fleet, name)
	if err == nil {
		delete(f.nodes, name)
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	c.cfg.Changed(fleet)
	c.publish()
	return nil
}

func (f *fleetState) view(n *node, now time.Time, allowances []*gateway.Allowance) gateway.Node {
	out := gateway.Node{NodeReport: n.report, Desired: n.rendering.tree.Digest, DesiredSince: n.rendering.since}
	drift, allowed, others := allowedOn(n.report, allowances, now)
	out.Drift, out.Allowed, out.Mismatch, out.State = drift, allowed, mismatch(n.report, others), n.state(now, others)
	if f.record != nil {
		out.Revision = f.record.number(n.report.Node)
	}
	return out
}

// state sums a node up, the worst first. edited: there are edits by hand that nobody allowed.
func (n *node) state(now time.Time, edited bool) gateway.NodeState {
	desired := n.rendering.tree.Digest
	switch r := n.report; {
	case now.Sub(r.ReportedAt) > silentAfter:
		return gateway.NodeSilent
	case r.Failed != nil && r.Failed.Digest == desired:
		return gateway.NodeFailed
	case r.Reason == gateway.ReasonNotRunning:
		return gateway.NodeFailed
	case edited || r.CheckError != "" || r.Reason == gateway.ReasonNotLoaded:
		return gateway.NodeDrifted
	case r.OnDisk == desired && r.Running == desired:
		return gateway.NodeInSync
	}
	return gateway.NodeRolling
}

// update takes a report in. It returns the node's rendering, and whether the files that its
// nginx loads are unknown here. mu is held.
func (c *Controller) update(f *fleetState, report gateway.NodeReport) (r *rendering, upload bool) {
	n := f.nodes[report.Node]
	if n == nil {
		n = &node{tally: tally{}}
		f.nodes[report.Node] = n
		c.cfg.Log.Info("a node joined", "fleet", f.name, "node", report.Node, "nginx", report.Facts.NginxVersion)
	}
	report.ReportedAt = c.cfg.Now()
	n.report, n.key = report, factsKey(report.Facts)
	c.place(f, n)
	n.problem = failureProblem(f, n)
	c.learnRefusal(f, n)
	return n.rendering, report.Fingerprint != "" && (n.tree == nil || n.tree.Fingerprint != report.Fingerprint)
}
