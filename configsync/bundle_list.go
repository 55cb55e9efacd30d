package configsync

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// Bundles lists the bundles that Revision finds: those that nodes should run first, then by
// revision, the newest first.
func (c *Controller) Bundles(fleet string) ([]gateway.Bundle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := c.find(fleet)
	if err != nil {
		return nil, err
	}
	f.number() // nodes may have come since
	nodes, since := map[string][]string{}, map[string]time.Time{}
	for _, name := range slices.Sorted(maps.Keys(f.nodes)) {
		r := f.nodes[name].rendering
		nodes[r.tree.Digest] = append(nodes[r.tree.Digest], name)
		since[r.tree.Digest] = r.since
	}
	list := []gateway.Bundle{}
	for digest, b := range f.trees() {
		list = append(list, gateway.Bundle{Digest: digest, Facts: b.key, Revisions: append([]uint64{}, f.numbers[digest]...), Nodes: append([]string{}, nodes[digest]...), Since: since[digest]})
	}
	slices.SortFunc(list, func(a, b gateway.Bundle) int {
		return cmp.Or(-cmp.Compare(min(len(a.Nodes), 1), min(len(b.Nodes), 1)), -slices.Compare(a.Revisions, b.Revisions), b.Since.Compare(a.Since), cmp.Compare(a.Digest, b.Digest))
	})
	return list, nil
}

// keptTree is a bundle whose files are still there, and the keyID of the facts it is for.
type keptTree struct {
	*nginxconf.Tree
	key string
}

// trees are all bundles that are known, by digest: those that are desired or were lately, and those
// that a rollout keeps. Nodes that report to another control plane run the files of a kept revision
// with the newest endpoints. mu is held.
func (f *fleetState) trees() map[string]keptTree {
	all := map[string]keptTree{}
	add := func(key string, trees ...*nginxconf.Tree) {
		for _, t := range trees {
			if t != nil && t.Digest != "" {
				all[t.Digest] = keptTree{t, key}
			}
		}
	}
	for _, stored := range f.stored {
		for key, t := range stored {
			add(key, t)
		}
		for key, newest := range f.renderings {
			if t := stored[keyID(key)]; t != nil && newest.tree != nil {
				add(keyID(key), t.WithEndpoints(newest.tree))
			}
		}
	}
	for key, r := range f.renderings {
		add(keyID(key), append(slices.Clone(r.past), r.tree)...)
	}
	for k, r := range f.tracks {
		add(k.key, append(slices.Clone(r.past), r.tree)...)
	}
	return all
}

// number remembers of which revisions the bundles are that nodes should run. A new node may run
// newer files than its revision has, so only what the record is sure of counts. mu is held.
func (f *fleetState) number() {
	if f.record == nil || f.record.Base.Number == 0 {
		return
	}
	known := f.numbers
	f.numbers = map[string][]uint64{}
	for digest := range f.trees() {
		if of := known[digest]; of != nil {
			f.numbers[digest] = of
		}
	}
	for name, n := range f.nodes {
		if digest := n.rendering.tree.Digest; digest != "" && f.sure(n) {
			of := append([]uint64{f.record.number(name), f.record.assigned(name)}, f.numbers[digest]...)
			slices.Sort(of)
			of = slices.Compact(of)
			slices.Reverse(of)
			f.numbers[digest] = of
		}
	}
}

// sure says whether what a node should run is of the revision that the record gives it.
func (f *fleetState) sure(n *node) bool {
	if f.waves() {
		return n.rendering == f.tracks[trackKey{f.record.assigned(n.report.Node), keyID(n.key)}]
	}
	return f.record.Base.Shapes[keyID(n.key)] == n.rendering.shape
}
