package nginxconf

import "github.com/sluice-gateway/sluice/gateway"

// HunkOwner tells whose text a hunk of a rendered file changes: that of the line that it
// replaces, or of the innermost block that it stands in.
func (t *Tree) HunkOwner(h gateway.Hunk, places Places) (gateway.Ref, bool) {
	f := t.File(h.Path)
	if f == nil {
		return gateway.Ref{}, false
	}
	if h.OldLine > 0 {
		return t.Owner(h.Path, h.OldLine)
	}
	c, err := Parse(f.Path, f.Data)
	if err != nil {
		return gateway.Ref{}, false
	}
	n := normaliser{places, map[*Directive]string{}}
	list, line := c.Directives, 0
	for _, label := range h.Where {
		found := false
		for i, l := range n.labels(list) {
			if l == label && !found {
				list, line, found = list[i].Block.Directives, list[i].Line(), true
				break
			}
		}
		if !found {
			return gateway.Ref{}, false
		}
	}
	return t.Owner(h.Path, line)
}
