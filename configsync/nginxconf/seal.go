package nginxconf

import "strings"

// Seal computes the digest of a tree whose files are complete, and writes it where workers
// answer with it. A tree that was sealed before may have been changed meanwhile.
func (t *Tree) Seal() {
	f := t.File(DigestFile)
	if t.Digest != "" {
		f.Data = strings.Replace(f.Data, digestText(t.Digest), digestPlace, 1)
		t.Digest = ""
	}
	t.Digest = t.digest()
	f.Data = strings.Replace(f.Data, digestPlace, digestText(t.Digest), 1)
}
