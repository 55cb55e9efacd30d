package configsync

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// likeness knows trees by what a check can find in them: two with the same key are the same to
// nginx -t in the sandbox. They may differ in the folders and addresses of their nodes, which
// the sandbox replaces anyway, and in the addresses of endpoints, which the renderer has
// validated. So the nodes of a fleet share a check, and a change of endpoints needs none.
//
// It remembers the files of the last tree, since little changes from one to the next. It belongs
// to one goroutine at a time.
type likeness struct {
	places nginxconf.Places
	files  map[string]likeFile
}

type likeFile struct {
	data string
	sum  [sha256.Size]byte
}

func newLikeness(f gateway.NodeFacts) *likeness {
	p := nginxconf.PlacesOf(f, "")
	add := func(value, name string) {
		if len(value) > 1 && !strings.ContainsAny(value, " \t\r\n;{}\"'\\") {
			p = append(p, nginxconf.Place{Value: value, Name: name})
		}
	}
	add(f.AccessLog, "{access-log}")
	add(strings.TrimPrefix(f.Outcomes, "unix:"), "{outcomes}")
	for i, l := range f.ListenTLS {
		if strings.Contains(l, ":") {
			add(l, fmt.Sprintf("{listen-tls-%d}", i))
		}
	}
	for i := range p {
		p[i].Name = "\x00" + p[i].Name // no rendered text has that, whatever a tenant writes
	}
	slices.SortStableFunc(p, func(a, b nginxconf.Place) int { return cmp.Compare(len(b.Value), len(a.Value)) })
	return &likeness{places: p, files: map[string]likeFile{}}
}

// of is a tree's key. nginx.conf itself is left out: the sandbox has one of its own.
func (l *likeness) of(tree *nginxconf.Tree) string {
	h := sha256.New()
	for i := range tree.Files {
		f := &tree.Files[i]
		if f.Path == nginxconf.MainFile {
			continue
		}
		known, ok := l.files[f.Path]
		if !ok || known.data != f.Data {
			known = likeFile{f.Data, l.sum(f, tree.Digest)}
			l.files[f.Path] = known
		}
		h.Write(known.sum[:])
	}
	if len(l.files) > 2*len(tree.Files) { // most of them are gone
		clear(l.files)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (l *likeness) sum(f *nginxconf.File, digest string) [sha256.Size]byte {
	data := f.AnyEndpoints()
	if f.Path == nginxconf.DigestFile && digest != "" {
		data = strings.Replace(data, digest, "", 1)
	}
	data = l.places.Name(data)
	return sha256.Sum256(fmt.Appendf(nil, "%d %s %o %d %s", len(f.Path), f.Path, f.Mode, len(data), data))
}

// common is a complaint without what belongs to one node, and own one with it.
func (l *likeness) common(c *nginxconf.Complaint) *nginxconf.Complaint {
	return reworded(c, l.places.Name)
}
func (l *likeness) own(c *nginxconf.Complaint) *nginxconf.Complaint {
	return reworded(c, l.places.Fill)
}

func reworded(c *nginxconf.Complaint, words func(string) string) *nginxconf.Complaint {
	if c == nil {
		return nil
	}
	out := *c
	out.Message = words(c.Message)
	return &out
}
