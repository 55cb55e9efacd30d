package nginxconf

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// Edit returns the tree with some files replaced or, where the new one is nil, left out. It
// shares all other files with t.
func (t *Tree) Edit(files map[string]*File) Tree {
	out := Tree{Files: make([]File, 0, len(t.Files))}
	for _, f := range t.Files {
		if instead, ok := files[f.Path]; !ok {
			out.Files = append(out.Files, f)
		} else if instead != nil {
			out.Files = append(out.Files, *instead)
		}
	}
	slices.SortFunc(out.Files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	place := out.File(DigestFile)
	if place == nil {
		out.Digest = out.digest()
		return out
	}
	place.Data = strings.Replace(place.Data, digestText(t.Digest), digestPlace, 1)
	out.Digest = out.digest()
	place.Data = strings.Replace(place.Data, digestPlace, digestText(out.Digest), 1)
	return out
}

// Tenant is whose file it is, or "" for one that every tenant relies on.
func (f *File) Tenant() string {
	for _, s := range f.spans {
		if s.owner.Kind == gateway.KindTenant {
			return s.owner.Name
		}
		if s.owner.Tenant != "" {
			return s.owner.Tenant
		}
	}
	return ""
}

// Owner is the first owner of a file's text: that of its head.
func (f *File) Owner() gateway.Ref {
	if len(f.spans) == 0 {
		return gateway.Ref{}
	}
	return f.spans[0].owner
}

// Line is the text of a line, from 1, without the blanks around it.
func (f *File) Line(n int) string {
	lines := strings.Split(f.Data, "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimSpace(lines[n-1])
}

// kept are what a server needs to be the one for its host and to speak TLS.
var kept = []string{"listen", "server_name", "http2", "ssl_certificate", "ssl_certificate_key", "ssl_reject_handshake"}

// Unavailable is the file with every server in it answering 503 and nothing else: the host
// stays taken, so that no wildcard of another tenant answers for it. It is nil for a file
// that holds no servers, which is better left out.
func (f *File) Unavailable() *File {
	c, err := Parse(f.Path, f.Data)
	if err != nil {
		return nil
	}
	w := newWriter(f.Path, f.Owner())
	w.comment("Left out by the check of this fleet: the hosts answer 503.")
	found := false
	for _, d := range c.Directives {
		if d.Name() != "server" || d.Block == nil {
			continue
		}
		found = true
		w.open("server")
		for _, inner := range d.Block.Directives {
			if inner.Block == nil && slices.Contains(kept, inner.Name()) {
				w.stmt(append([]string{inner.Name()}, inner.Args()...)...)
			}
		}
		w.stmt("return", "503")
		w.close()
	}
	if !found {
		return nil
	}
	out := w.file()
	return &out
}
