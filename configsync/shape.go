package configsync

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// shape is what a node's files mean. It is made once for each upload, outside of the
// Controller's lock: it reads every file.
type shape struct {
	node        string
	report      gateway.NodeReport
	tree        *protocol.NodeTree
	places      nginxconf.Places
	files       []shapedFile // by name
	fingerprint string
}

// shapedFile is a file under the name that it has on every node.
type shapedFile struct {
	name, path string
	side       nginxconf.Side
	normal     string
	data       []byte
	hidden     bool
}

func newShape(report gateway.NodeReport, tree *protocol.NodeTree) *shape {
	s := &shape{node: report.Node, report: report, tree: tree, places: nginxconf.PlacesOf(report.Facts, report.OnDisk)}
	for _, f := range tree.Files {
		side := nginxconf.NewSide(f.Path, nginxconf.Shown(f.Path, string(f.Data)), s.places)
		s.files = append(s.files, shapedFile{name: s.places.Name(f.Path), path: f.Path, side: side, normal: side.Normal(), data: f.Data,
			hidden: f.Hidden || nginxconf.HasSecret(string(f.Data))})
	}
	slices.SortFunc(s.files, func(a, b shapedFile) int { return cmp.Compare(a.name, b.name) })
	h := sha256.New()
	for _, f := range s.files {
		_, _ = fmt.Fprintf(h, "%d %s %d %s", len(f.name), f.name, len(f.normal), f.normal)
	}
	s.fingerprint = hex.EncodeToString(h.Sum(nil)[:16])
	return s
}

// file finds a file by the name that it has on every node. The zero value is a file that is
// not there.
func (s *shape) file(name string) (shapedFile, bool) {
	i, ok := slices.BinarySearchFunc(s.files, name, func(f shapedFile, n string) int { return cmp.Compare(f.name, n) })
	if !ok {
		return shapedFile{name: name, path: s.places.Fill(name), side: nginxconf.NewSide(name, "", s.places)}, false
	}
	return s.files[i], true
}

// member is a node as the groups see it.
type member struct {
	node  gateway.Node
	shape *shape // nil: its files have not arrived
	asked map[string]bool
}

// members lists the nodes of a fleet with their shapes.
func (c *Controller) members(fleet string) ([]member, error) {
	c.mu.Lock()
	f, err := c.find(fleet)
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	var list []member
	trees := map[string]*protocol.NodeTree{}
	now := c.cfg.Now()
	for name, n := range f.nodes {
		m := member{node: f.view(n, now, c.snapshot.Allowances), asked: map[string]bool{}}
		for _, t := range c.reverts.due(n.peer(), now) {
			m.asked[t.hunk] = true
		}
		if n.tree != nil && n.tree.Fingerprint == n.report.Fingerprint {
			trees[name] = n.tree
			if n.shape != nil && n.shape.tree == n.tree && n.shape.report.OnDisk == n.report.OnDisk {
				m.shape = n.shape
			}
		}
		list = append(list, m)
	}
	c.mu.Unlock()
	for i, m := range list {
		if tree := trees[m.node.Node]; tree != nil && m.shape == nil {
			list[i].shape = newShape(m.node.NodeReport, tree)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range list {
		if n := f.nodes[m.node.Node]; n != nil && m.shape != nil {
			n.shape = m.shape
		}
	}
	slices.SortFunc(list, func(a, b member) int { return cmp.Compare(a.node.Node, b.node.Node) })
	return list, nil
}
