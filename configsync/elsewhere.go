package configsync

import "github.com/sluice-gateway/sluice/gateway"

// Elsewhere says that a node is silent here because its agent reports to another control plane
// now: what is known of it here is old, and the other one tells what is wrong with it.
func (c *Controller) Elsewhere(n *gateway.Node) bool {
	if n.State != gateway.NodeSilent {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := c.find(n.Fleet)
	if err != nil {
		return false
	}
	p, ok := f.peers[n.Node]
	return ok && !p.Silent
}
