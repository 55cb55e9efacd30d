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
	var text []byte // of one file after the other, so that a large tree is not copied into as many pieces
	for i := range t.Files {
		switch f := &t.Files[i]; {
		case IsUpstream(f.Path):
			text = appendBare(text[:0], f.Data)
		case f.Path == DigestFile && t.Digest != "":
			text = append(text[:0], strings.Replace(f.Data, t.Digest, "", 1)...)
		default:
			text = append(text[:0], f.Data...)
		}
		_, _ = fmt.Fprintf(h, "%d %s %d ", len(t.Files[i].Path), t.Files[i].Path, len(text))
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// WithEndpoints is the tree with the endpoints of a newer one: of each upstream whose file
// differs in nothing else. It is t itself when none does.
func (t *Tree) WithEndpoints(newer *Tree) *Tree {
	var files []File
	for i := range t.Files {
		f := &t.Files[i]
		if !IsUpstream(f.Path) {
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

// IsUpstream says whether a path in a tree is that of an upstream's file.
func IsUpstream(path string) bool { return strings.HasPrefix(path, "upstreams/") }

// bare is the text of an upstream's file without its servers.
func bare(data string) string { return string(appendBare(nil, data)) }

func appendBare(b []byte, data string) []byte {
	for line := range strings.Lines(data) {
		switch word, rest, _ := strings.Cut(strings.TrimLeft(line, " "), " "); word {
		case "server":
		case "zone":
			name, _, _ := strings.Cut(rest, " ")
			b = append(append(append(b, "zone "...), name...), '\n')
		default:
			b = append(b, line...)
		}
	}
	return b
}

// AnyEndpoints is the file's text, for an upstream's with a word in the place of each endpoint's
// address, and endpoints that are alike but for that once: to nginx -t one valid address is as
// good as another. Whatever else differs, such as a weight or the size of a zone, stays.
func (f *File) AnyEndpoints() string {
	if !IsUpstream(f.Path) {
		return f.Data
	}
	var b strings.Builder
	last := ""
	for line := range strings.Lines(f.Data) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "server" {
			words[1] = "ipv4"
			if strings.Contains(line, "[") {
				words[1] = "ipv6"
			}
			if line = strings.Join(words, " ") + "\n"; line == last {
				continue
			}
		}
		b.WriteString(line)
		last = line
	}
	return b.String()
}
