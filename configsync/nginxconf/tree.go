package nginxconf

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// DigestFile is the file that tells a running nginx's digest. It is the one file whose
// content the digest does not cover, since it holds the digest.
const DigestFile = "base/digest.conf"

// MainFile is nginx.conf itself, in the trees of a fleet whose mode is full.
const MainFile = "nginx.conf"

// Include is the pattern below a tree under which nginx.conf includes it.
const Include = "*/*.conf"

// Texts are the patterns of the other files of a tree: certificates, authorities and keys.
var Texts = []string{"*/*.crt", "*/*.key"}

// Tree is a complete set of rendered files with its digest.
type Tree struct {
	Digest string `json:"digest"`
	Files  []File `json:"files"` // sorted by path
}

// File is one rendered file.
type File struct {
	Path string `json:"path"` // relative, with slashes
	Data string `json:"data"`
	// Mode is its permissions on disk: 0600 for a private key. Default 0, which is 0644.
	Mode uint32 `json:"mode,omitempty"`

	spans []span
}

// Perm is the file's permissions on disk.
func (f *File) Perm() os.FileMode {
	if f.Mode == 0 {
		return 0o644
	}
	return os.FileMode(f.Mode)
}

// span says whose text a run of lines is.
type span struct {
	from, to int // lines from 1, both inclusive
	owner    gateway.Ref
}

// File finds a file by path, or returns nil.
func (t *Tree) File(name string) *File {
	i, ok := slices.BinarySearchFunc(t.Files, name, func(f File, n string) int { return cmp.Compare(f.Path, n) })
	if !ok {
		return nil
	}
	return &t.Files[i]
}

// Owner tells whose text stands on a line (from 1) of a file, to put nginx's complaint
// where its cause can be changed.
func (t *Tree) Owner(file string, line int) (gateway.Ref, bool) {
	f := t.File(file)
	if f == nil {
		return gateway.Ref{}, false
	}
	for _, s := range f.spans {
		if s.from <= line && line <= s.to {
			return s.owner, true
		}
	}
	return gateway.Ref{}, false
}

// Verify checks that the digest is that of the files, and that every path stays inside the
// tree. An agent calls it on what it received before it writes anything.
func (t *Tree) Verify() error {
	for i, f := range t.Files {
		if !validPath(f.Path) {
			return fmt.Errorf("bundle %s: %q is not a path inside a tree", t.Digest, f.Path)
		}
		if secret := path.Ext(f.Path) == keyExt; secret != (f.Mode == secretMode) || !secret && f.Mode != 0 {
			return fmt.Errorf("bundle %s: %q has mode %o: private keys have %o, and nothing else has one", t.Digest, f.Path, f.Mode, secretMode)
		}
		if i > 0 && t.Files[i-1].Path >= f.Path {
			return fmt.Errorf("bundle %s: %q is out of order", t.Digest, f.Path)
		}
	}
	if got := t.digest(); got != t.Digest {
		return fmt.Errorf("bundle %s is damaged: its files have the digest %s", t.Digest, got)
	}
	return nil
}

// validPath accepts MainFile, "folder/name.conf" and the two kinds of PEM files, the shapes
// that the renderer makes.
func validPath(p string) bool {
	if p == MainFile {
		return true
	}
	dir, name := path.Split(p)
	ok := func(s string) bool {
		return s != "" && s[0] != '.' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
	}
	return ok(strings.TrimSuffix(dir, "/")) && ok(name) && slices.Contains([]string{".conf", ".crt", ".key"}, path.Ext(name))
}

// digest is made of every file's path, mode and bytes, with the digest's own text blanked out.
func (t *Tree) digest() string {
	blank := digestPlace
	if t.Digest != "" {
		blank = digestText(t.Digest)
	}
	sums := make([]sum, len(t.Files))
	for i := range t.Files {
		sums[i] = t.Files[i].sum(blank)
	}
	var runs []sum
	for run := range slices.Chunk(sums, runLength) {
		runs = append(runs, sumRun(run))
	}
	return digestOf(runs)
}
