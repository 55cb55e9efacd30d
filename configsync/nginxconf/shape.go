package nginxconf

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Shape is the digest of a tree without its endpoints: trees that differ in the servers of
// upstreams only have the same. The size of an upstream's zone follows the number of its
// endpoints, and is left out, too.
func (t *Tree) Shape() string {
	h := sha256.New()
	for _, f := range t.Files {
		data := f.Data
		switch {
		case isUpstream(f.Path):
			data = bare(data)
		case f.Path == DigestFile && t.Digest != "":
			data = strings.Replace(data, t.Digest, "", 1)
		}
		_, _ = fmt.Fprintf(h, "%d %s %d ", len(f.Path), f.Path, len(data))
		h.Write([]byte(data))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// WithEndpoints is the tree with the endpoints of a newer one: of each upstream whose file
// differs in nothing else. It is t itself when none does.
func (t *Tree) WithEndpoints(newer *Tree) *Tree {
	var files []File
	for i := range t.Files {
		f := &t.Files[i]
		if !isUpstream(f.Path) {
			continue
		}
		other := newer.File(f.Path)
		if other == nil || other.Data == f.Data || bare(other.Data) != bare(f.Data) {
			continue
		}
		if files == nil {
			files = slices.Clone(t.Files)
		}
		files[i] = *other
	}
	if files == nil {
		return t
	}
	out := Tree{Files: files}
	out.Digest = t.Digest
	out.Seal()
	return &out
}

func isUpstream(path string) bool { return strings.HasPrefix(path, "upstreams/") }

// bare is the text of an upstream's file without its servers.
func bare(data string) string {
	var b strings.Builder
	for line := range strings.Lines(data) {
		switch word, rest, _ := strings.Cut(strings.TrimLeft(line, " "), " "); word {
		case "server":
		case "zone":
			name, _, _ := strings.Cut(rest, " ")
			b.WriteString("zone " + name + "\n")
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}
