package configsync

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// shortestDigest is how much of a digest has to be given.
const shortestDigest = 6

// Revision finds a bundle of a fleet by the beginning of its digest: one that is desired now or
// was lately, or that a rollout keeps, such as for nodes that do not have the newest. A fingerprint
// stands in the place of secrets.
func (c *Controller) Revision(fleet, digest string) (nginxconf.Tree, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := c.find(fleet)
	if err != nil {
		return nginxconf.Tree{}, err
	}
	found, known := map[string]*nginxconf.Tree{}, f.trees()
	for d, t := range known {
		if strings.HasPrefix(d, digest) {
			found[d] = t.Tree
		}
	}
	switch {
	case len(digest) < shortestDigest || len(found) > 1:
		return nginxconf.Tree{}, fmt.Errorf("revision %q: %w: give at least %d digits of one digest; %d match", digest, gateway.ErrInvalid, shortestDigest, len(found))
	case len(found) == 0:
		return nginxconf.Tree{}, fmt.Errorf("revision %q of fleet %q: %w: the last ones are %q", digest, fleet, gateway.ErrNotFound, slices.Sorted(maps.Keys(known)))
	}
	for _, t := range found {
		return shown(t), nil
	}
	return nginxconf.Tree{}, nil
}

// shown is a tree as people may see it.
func shown(t *nginxconf.Tree) nginxconf.Tree {
	out := *t
	out.Files = slices.Clone(t.Files)
	for i := range out.Files {
		out.Files[i].Data = out.Files[i].Shown()
	}
	return out
}

// shownNode is the same for what a node has uploaded: an older agent hides nothing.
func shownNode(t *protocol.NodeTree) protocol.NodeTree {
	out := *t
	out.Files = slices.Clone(t.Files)
	for i, f := range out.Files {
		if nginxconf.HasSecret(string(f.Data)) {
			out.Files[i].Data, out.Files[i].Hidden = []byte(nginxconf.Hide(string(f.Data))), true
		}
	}
	return out
}
