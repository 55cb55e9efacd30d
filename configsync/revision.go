package configsync

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// keepObjects is how many changed objects a revision names.
const keepObjects = 20

// keyID is a factsKey as it stands in records.
func keyID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

// adopt takes the shapes of newest over, which is the same revision, and says whether any was
// news. A shape changes without a new revision when an upstream loses its last endpoint.
func adopt(rev, newest *gateway.Revision) bool {
	if maps.Equal(rev.Shapes, newest.Shapes) {
		return false
	}
	shapes := maps.Clone(rev.Shapes)
	if shapes == nil {
		shapes = map[string]string{}
	}
	maps.Copy(shapes, newest.Shapes)
	if maps.Equal(shapes, rev.Shapes) {
		return false
	}
	rev.Shapes = shapes
	return true
}

// sameShapes says whether two revisions have the same files for all facts of which both know,
// if there are any.
func sameShapes(a, b *gateway.Revision) bool {
	common := 0
	for key, shape := range a.Shapes {
		if other, ok := b.Shapes[key]; ok {
			if common++; other != shape {
				return false
			}
		}
	}
	return common > 0
}

// changedObjects are the owners of the lines in which two trees differ.
func changedObjects(old, newer *nginxconf.Tree) []gateway.Ref {
	var list []gateway.Ref
	note := func(t *nginxconf.Tree, other *nginxconf.Tree) {
		for _, f := range t.Files {
			if g := other.File(f.Path); f.Path != nginxconf.DigestFile && (g == nil || g.Data != f.Data) {
				list = append(list, changedIn(t, f, g)...)
			}
		}
	}
	note(newer, old)
	note(old, newer)
	slices.SortFunc(list, gateway.Ref.Compare)
	list = slices.Compact(list)
	return list[:min(len(list), keepObjects)]
}

// changedIn are the owners of the passages of a file that its other version does not have. What
// counts are whole passages, since routes have most of their lines in common.
func changedIn(t *nginxconf.Tree, f nginxconf.File, other *nginxconf.File) (list []gateway.Ref) {
	text, owner, owned := "", gateway.Ref{}, false
	note := func() {
		if owned && (other == nil || !strings.Contains(other.Data, text)) {
			list = append(list, owner)
		}
	}
	n := 0
	for line := range strings.Lines(f.Data) {
		n++
		if o, ok := t.Owner(f.Path, n); o != owner || ok != owned {
			note()
			text, owner, owned = "", o, ok
		}
		text += line
	}
	note()
	return list
}
