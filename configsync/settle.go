package configsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// Hunk finds an edit of a fleet by its id. The error says which there are.
func (c *Controller) Hunk(fleet, id string) (gateway.NodeHunk, error) {
	groups, err := c.Groups(fleet)
	if err != nil {
		return gateway.NodeHunk{}, err
	}
	var found *gateway.NodeHunk
	known := []string{}
	for _, g := range groups.Groups {
		for _, h := range g.Hunks {
			known = append(known, h.ID)
			if h.ID != id {
				continue
			}
			if found == nil {
				found = &h
			} else {
				found.On = append(slices.Clone(found.On), h.On...)
			}
		}
	}
	if found == nil {
		slices.Sort(known)
		return gateway.NodeHunk{}, fmt.Errorf("hunk %q of fleet %q: %w: the hunks are %q; it may have been settled meanwhile", id, fleet, gateway.ErrNotFound, slices.Compact(known))
	}
	return *found, nil
}

// on are the nodes that have the hunk.
func on(h gateway.NodeHunk) []string {
	list := []string{}
	for _, n := range h.On {
		list = append(list, n.Node)
	}
	return list
}

// chosen are the nodes that have the hunk, or those of them that are asked for.
func chosen(h gateway.NodeHunk, nodes []string) ([]string, error) {
	have := on(h)
	if len(nodes) == 0 {
		return have, nil
	}
	for _, n := range nodes {
		if !slices.Contains(have, n) {
			return nil, fmt.Errorf("node %q: %w: it does not have hunk %s; those that have it are %q", n, gateway.ErrInvalid, h.ID, have)
		}
	}
	return nodes, nil
}

// Revert asks nodes to take an edit back: one of the rendered tree becomes what the bundle
// says, one outside of it what most nodes have. Without nodes all that have it are asked. It
// returns who is asked; what they did stands in their reports. The question is kept for a node
// that is away, for a day.
func (c *Controller) Revert(ctx context.Context, fleet, id string, nodes []string, by string) ([]string, error) {
	h, err := c.Hunk(fleet, id)
	if err != nil {
		return nil, err
	}
	if nodes, err = chosen(h, nodes); err != nil {
		return nil, err
	}
	switch h.Kind {
	case gateway.HunkRendered:
		return nil, fmt.Errorf("hunk %s: %w: nobody edited it: the nodes should run different files, because they are different or a rollout is under way", id, gateway.ErrInvalid)
	case gateway.HunkOutside:
		if _, err := c.outside(fleet, h, nodes); err != nil {
			return nil, err // what can't be made now should not come as a surprise later
		}
	}
	if err := c.keepRevert(ctx, revert{Fleet: fleet, Hunk: id, Outside: h.Kind == gateway.HunkOutside, Nodes: nodes, By: by, At: c.cfg.Now().UTC()}); err != nil {
		return nil, err
	}
	c.cfg.Log.Info("nodes are asked to take an edit by hand back", "fleet", fleet, "nodes", nodes, "hunk", id, "file", h.Path, "by", by)
	if h.Kind == gateway.HunkOutside {
		c.makeFiles(fleet)
	}
	return nodes, nil
}

// outside makes the files that take an edit outside of the rendered tree back, by node.
func (c *Controller) outside(fleet string, h gateway.NodeHunk, nodes []string) (map[string]*protocol.SettleFile, error) {
	members, err := c.members(fleet)
	if err != nil {
		return nil, err
	}
	reference := group(fleet, members).Groups[0].Nodes[0]
	shapes := map[string]*shape{}
	for _, m := range members {
		shapes[m.node.Node] = m.shape
	}
	out := map[string]*protocol.SettleFile{}
	name := commonName(h, shapes)
	for _, node := range nodes {
		s, ref := shapes[node], shapes[reference]
		if s == nil || ref == nil {
			return nil, fmt.Errorf("node %q: %w: its files have not arrived yet", node, gateway.ErrUnavailable)
		}
		if out[node], err = backToMost(ref, s, name, h.ID); err != nil {
			return nil, fmt.Errorf("node %q: %w", node, err)
		}
	}
	return out, nil
}

// commonName is what a hunk's file is called on every node: the hunk has the path of one of
// those that have it.
func commonName(h gateway.NodeHunk, shapes map[string]*shape) string {
	for _, on := range h.On {
		if s := shapes[on.Node]; s != nil {
			if name := s.places.Name(h.Path); name != h.Path {
				return name
			}
		}
	}
	return h.Path
}

// backToMost is a node's file as the reference has it, with the node's other edits kept.
func backToMost(ref, s *shape, name, hunk string) (*protocol.SettleFile, error) {
	is, has := s.file(name)
	most, had := ref.file(name)
	switch {
	case !has:
		return nil, fmt.Errorf("%s: %w: the file is gone there; restore it by hand, from a download of node %s", is.path, gateway.ErrInvalid, ref.node)
	case is.hidden || most.hidden:
		return nil, fmt.Errorf("%s: %w: the file holds a secret or only its owner may read it, so its text is not known here; change it on the node", is.path, gateway.ErrInvalid)
	}
	base := nginxconf.NewSide(is.path, s.places.Fill(ref.places.Name(most.side.Text)), s.places)
	text, conflicts := nginxconf.Splice(is.path, base, most.side, is.side, func(o gateway.Hunk) bool { return o.ID != hunk })
	if len(conflicts) > 0 {
		return nil, fmt.Errorf("%s: %w: its other edits can't be kept without this one; take them back first", is.path, gateway.ErrConflict)
	}
	sum := sha256.Sum256(is.data)
	return &protocol.SettleFile{Path: is.path, Have: hex.EncodeToString(sum[:]), Data: []byte(text), Remove: !had && text == "", Hunks: []string{hunk}}, nil
}

// settleFor is what people decided about edits on a node, and the digest of it with the files that
// can't be made yet. mu is held.
func (c *Controller) settleFor(n *node) (s *protocol.Settle, whole string) {
	s = &protocol.Settle{}
	now := c.cfg.Now()
	for _, a := range c.snapshot.Allowances {
		if a.Allows(n.report.Fleet, n.report.Node, a.Spec.Hunk, now) {
			s.Allowed = append(s.Allowed, a.Spec.Hunk)
		}
	}
	slices.Sort(s.Allowed)
	due := c.reverts.due(n.peer(), now)
	var ready []task
	for _, t := range due {
		if file := n.files[t]; file != nil {
			s.Files = append(s.Files, *file)
		} else if !t.outside {
			s.Revert = append(s.Revert, t.hunk)
		} else {
			continue
		}
		ready = append(ready, t)
	}
	s.Digest = settleDigest(s.Allowed, ready)
	return s, settleDigest(s.Allowed, due)
}

// settleDigest covers what was asked for and when. It leaves out what files outside of the tree
// become, which is made anew by each control plane. That of nothing is what an agent has that
// knows nothing.
func settleDigest(allowed []string, tasks []task) string {
	if len(allowed) == 0 && len(tasks) == 0 {
		return ""
	}
	h := sha256.New()
	for _, id := range allowed {
		_, _ = fmt.Fprintf(h, "allowed %s\n", id)
	}
	for _, t := range tasks {
		_, _ = fmt.Fprintf(h, "revert %s %d\n", t.hunk, t.at)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// settleNews is what an agent has to be told that has heard and carried out what these digests are
// of, or nil. What it has carried out is not asked for again. mu is held.
func (c *Controller) settleNews(n *node, heard, carried string) *protocol.Settle {
	s, whole := c.settleFor(n)
	if due := c.reverts.due(n.peer(), c.cfg.Now()); len(due) > 0 && carried != "" && (carried == whole || carried == s.Digest) {
		c.reverts.finish(n.peer(), slices.DeleteFunc(due, func(t task) bool { return carried != whole && t.outside && n.files[t] == nil }))
		s, _ = c.settleFor(n)
	}
	if s.Digest == heard {
		return nil
	}
	return s
}

// wake answers the agents that have something new to hear. mu is held.
func (c *Controller) wake(f *fleetState) {
	for _, n := range f.nodes {
		if s, _ := c.settleFor(n); n.awake != nil && s.Digest != n.told {
			close(n.awake)
			n.awake = nil
		}
	}
}
