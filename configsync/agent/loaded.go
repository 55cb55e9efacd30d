package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// loadedFile is one file that nginx reads.
type loadedFile struct {
	path   string
	data   []byte
	config *nginxconf.Config // nil when the file does not parse
	// private says that nobody but its owner may read the file.
	private bool
	changed time.Time // see look
}

// loadFiles reads the main file and everything it includes, each file once, in nginx's
// order. Unlike "nginx -T" it also works while a file is broken: such a file is returned as
// it is and its includes are not followed.
func loadFiles(conf string, known seenFiles, read *contents) ([]loadedFile, error) {
	l := loader{dir: filepath.Dir(conf), seen: map[string]bool{}, known: known, read: read}
	if err := l.load(conf); err != nil {
		return nil, fmt.Errorf("read nginx's configuration: %w", err)
	}
	known.keep(l.seen)
	return l.files, nil
}

type loader struct {
	dir   string // relative includes start here, whichever file they stand in
	seen  map[string]bool
	files []loadedFile
	known seenFiles
	read  *contents
}

func (l *loader) load(path string) error {
	if l.seen[path] {
		return nil
	}
	l.seen[path] = true
	is, err := l.read.read(path)
	if err != nil {
		return err
	}
	f := l.known.parsed(path, is.data)
	l.files = append(l.files, loadedFile{path: path, data: f.data, config: f.config, private: is.perm&0o077 == 0, changed: is.changed})
	for _, pattern := range f.includes {
		for _, match := range l.read.glob(under(l.dir, pattern)) {
			// A file that vanished or can't be read is nginx's to complain about.
			_ = l.load(match)
		}
	}
	return nil
}

// fingerprint covers the path and the bytes of every file, by path: the order in which nginx
// reads them follows from those. Paths of the tree count from the tree, so that nodes with
// different folders can be alike.
func fingerprint(files []loadedFile, link string) string {
	h := sha256.New()
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b loadedFile) int { return strings.Compare(a.path, b.path) })
	for _, f := range files {
		name := shownPath(f.path, link)
		_, _ = fmt.Fprintf(h, "%d %s %d ", len(name), name, len(f.data))
		h.Write(f.data)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// shownPath is relative for files below the tree and absolute for others.
func shownPath(path, link string) string {
	if rest, ok := strings.CutPrefix(path, link+"/"); ok {
		return rest
	}
	return path
}

// mainDirective finds the argument of a directive in the main context, such as "pid".
func mainDirective(files []loadedFile, name string) string {
	value := ""
	for _, f := range files {
		if f.config == nil {
			continue
		}
		for _, d := range f.config.Directives {
			if d.Name() == name && len(d.Words) > 1 && value == "" {
				value = d.Args()[0]
			}
		}
	}
	return value
}
