package configsync

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// Desired stands for what a node should run, in place of a node's name.
const Desired = "desired"

// FileDiff is one file that differs between two trees.
type FileDiff struct {
	Path string `json:"path"`
	// Change: "modified", "added" (only in the second tree) or "removed".
	Change string `json:"change"`
	Diff   string `json:"diff"` // unified
}

// NodeTree is every file that the node's nginx would load, as its agent found them. A
// fingerprint stands in the place of secrets.
func (c *Controller) NodeTree(fleet, node string) (protocol.NodeTree, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, n, err := c.findNode(fleet, node)
	if err != nil {
		return protocol.NodeTree{}, err
	}
	if n.tree == nil {
		return protocol.NodeTree{}, fmt.Errorf("files of node %q of fleet %q: %w: the agent has not uploaded them yet", node, fleet, gateway.ErrUnavailable)
	}
	return shownNode(n.tree), nil
}

// Diff compares the files of two nodes, or of a node and what it should run when one name
// is [Desired]. Files outside the rendered tree count between nodes only.
func (c *Controller) Diff(fleet, from, to string) ([]FileDiff, error) {
	a, err := c.side(fleet, from, to)
	if err != nil {
		return nil, err
	}
	b, err := c.side(fleet, to, from)
	if err != nil {
		return nil, err
	}
	if from == Desired || to == Desired {
		outside := func(name, _ string) bool { return path.IsAbs(name) }
		maps.DeleteFunc(a, outside)
		maps.DeleteFunc(b, outside)
	}
	return diffTrees(from, to, a, b), nil
}

// side is the files by path of a node, or those desired for the other node.
func (c *Controller) side(fleet, name, other string) (map[string]string, error) {
	files := map[string]string{}
	if name == Desired {
		tree, err := c.DesiredTree(fleet, other)
		for _, f := range tree.Files {
			files[f.Path] = f.Shown()
		}
		return files, err
	}
	tree, err := c.NodeTree(fleet, name)
	for _, f := range tree.Files {
		files[f.Path] = string(f.Data)
	}
	return files, err
}

func diffTrees(from, to string, a, b map[string]string) []FileDiff {
	paths := map[string]bool{}
	for p := range a {
		paths[p] = true
	}
	for p := range b {
		paths[p] = true
	}
	list := []FileDiff{}
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		before, had := a[p]
		after, has := b[p]
		if had == has && before == after {
			continue
		}
		d := FileDiff{Path: p, Change: "modified", Diff: udiff.Unified(from+"/"+strings.TrimPrefix(p, "/"), to+"/"+strings.TrimPrefix(p, "/"), before, after)}
		if !had {
			d.Change = "added"
		} else if !has {
			d.Change = "removed"
		}
		list = append(list, d)
	}
	return list
}
