package agent

import (
	"bytes"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// seenFiles remember how files were parsed, for as long as they have the same bytes. A node
// looks at all its files several times for each bundle, and they may be thousands.
type seenFiles map[string]*seenFile

// seenFile is what was made of the bytes of a file. It is not changed.
type seenFile struct {
	data     []byte
	config   *nginxconf.Config // nil when the file does not parse: nginx -t says so in its own words
	includes []string          // patterns, in the order of the file
}

// parsed returns what bytes of a file mean, and parses them if they are others than before.
func (s seenFiles) parsed(path string, data []byte) *seenFile {
	if old := s[path]; old != nil && bytes.Equal(old.data, data) {
		return old
	}
	f := &seenFile{data: data}
	if config, err := nginxconf.Parse(path, string(data)); err == nil {
		f.config = config
		config.Walk(func(_ []*nginxconf.Directive, d *nginxconf.Directive) {
			if args := d.Args(); d.Name() == "include" && len(args) == 1 && d.Block == nil {
				f.includes = append(f.includes, args[0])
			}
		})
	}
	if s != nil {
		s[path] = f
	}
	return f
}

// keep forgets all files but these.
func (s seenFiles) keep(files map[string]bool) {
	for path := range s {
		if !files[path] {
			delete(s, path)
		}
	}
}
