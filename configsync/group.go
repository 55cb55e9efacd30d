package configsync

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// Groups says which nodes of a fleet are alike in everything that their nginx loads, and what
// the others have that these have not.
func (c *Controller) Groups(fleet string) (gateway.FleetDrift, error) {
	members, err := c.members(fleet)
	if err != nil {
		return gateway.FleetDrift{}, err
	}
	return group(fleet, members), nil
}

func group(fleet string, members []member) gateway.FleetDrift {
	out := gateway.FleetDrift{Fleet: fleet, Groups: []gateway.NodeGroup{}}
	by := map[string][]member{}
	for _, m := range members {
		if m.shape == nil {
			out.Unknown = append(out.Unknown, m.node.Node)
			continue
		}
		by[m.shape.fingerprint] = append(by[m.shape.fingerprint], m)
	}
	order := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(by[b]), len(by[a])), cmp.Compare(edited(by[a]), edited(by[b])), cmp.Compare(by[a][0].node.Node, by[b][0].node.Node))
	})
	for i, fp := range order {
		g := gateway.NodeGroup{Fingerprint: fp, Reference: i == 0}
		hunks := hunkList{}
		for _, m := range by[fp] {
			g.Nodes = append(g.Nodes, m.node.Node)
			hunks.byHand(m)
			if m.node.Mismatch != "" {
				g.Marks = append(g.Marks, gateway.GroupMark{Node: m.node.Node, Mismatch: m.node.Mismatch})
			}
		}
		if i > 0 {
			g.Directives = hunks.between(by[order[0]][0], by[fp])
		}
		g.Hunks = hunks.list
		out.Groups = append(out.Groups, g)
	}
	out.Summary = summary(out)
	return out
}

// edited counts the nodes with edits by hand: of two groups of one size the untouched one is
// the reference.
func edited(list []member) (n int) {
	for _, m := range list {
		if len(m.node.Drift) > 0 {
			n++
		}
	}
	return n
}

// hunkList collects the hunks of a group, each once.
type hunkList struct{ list []gateway.NodeHunk }

func (l *hunkList) add(h gateway.Hunk, kind gateway.HunkKind, on gateway.HunkNode) {
	on.Allowed, h.Allowed = h.Allowed, nil
	i := slices.IndexFunc(l.list, func(o gateway.NodeHunk) bool { return o.ID == h.ID && o.Kind == kind })
	if i < 0 {
		l.list = append(l.list, gateway.NodeHunk{Hunk: h, Kind: kind})
		i = len(l.list) - 1
	}
	l.list[i].On = append(l.list[i].On, on)
}

// byHand adds what the node says itself.
func (l *hunkList) byHand(m member) {
	for _, d := range m.node.Drift {
		for _, h := range d.Hunks {
			l.add(h, gateway.HunkByHand, m.on(h.ID, d.Owner))
		}
	}
}

func (m member) on(hunk string, owner *gateway.FileOwner) gateway.HunkNode {
	on := gateway.HunkNode{Node: m.node.Node, Owner: owner, Asked: m.asked[hunk]}
	for _, r := range m.node.Settled {
		if r.Hunk == hunk {
			on.Failed = r.Error
		}
	}
	return on
}

// between adds what the group differs in from the reference, and counts the directives.
func (l *hunkList) between(reference member, group []member) (directives int) {
	handMade := map[string]bool{}
	for _, m := range append([]member{reference}, group...) {
		for _, d := range m.node.Drift {
			handMade[d.Path] = true
		}
	}
	for _, name := range fileNames(reference.shape, group[0].shape) {
		a, _ := reference.shape.file(name)
		b, _ := group[0].shape.file(name)
		if a.normal == b.normal {
			continue
		}
		for _, h := range nginxconf.Compare(b.path, a.side, b.side) {
			if h.Meaning() {
				directives++
			}
			kind := gateway.HunkOutside
			if !path.IsAbs(b.path) {
				if handMade[b.path] {
					continue // the nodes tell it better, from what it should be
				}
				kind = gateway.HunkRendered
			}
			for _, m := range group {
				l.add(h, kind, m.on(h.ID, nil))
			}
		}
	}
	return directives
}

// fileNames are those of both, sorted.
func fileNames(a, b *shape) []string {
	var names []string
	for _, s := range []*shape{a, b} {
		for _, f := range s.files {
			names = append(names, f.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// summary is the sentence for people.
func summary(d gateway.FleetDrift) string {
	var parts []string
	count := map[int]int{}
	for i, g := range d.Groups {
		if i == 0 {
			parts = append(parts, fmt.Sprintf("%d alike", len(g.Nodes)))
			continue
		}
		count[g.Directives] += len(g.Nodes)
	}
	for _, directives := range slices.Sorted(maps.Keys(count)) {
		verb, noun := "differ", "directives"
		if count[directives] == 1 {
			verb = "differs"
		}
		if directives == 1 {
			noun = "directive"
		}
		parts = append(parts, fmt.Sprintf("%d %s in %d %s", count[directives], verb, directives, noun))
	}
	if n := len(d.Unknown); n > 0 {
		parts = append(parts, fmt.Sprintf("%d not known yet", n))
	}
	if len(parts) == 0 {
		return "no nodes"
	}
	text := strings.Join(parts, ", ")
	if rendered, others := kinds(d); rendered && !others {
		text += " (they are rendered so, nobody edited them)"
	}
	return text
}

// kinds says whether there are hunks that are rendered so, and others.
func kinds(d gateway.FleetDrift) (rendered, others bool) {
	for _, g := range d.Groups {
		for _, h := range g.Hunks {
			rendered, others = rendered || h.Kind == gateway.HunkRendered, others || h.Kind != gateway.HunkRendered
		}
	}
	return rendered, others
}
