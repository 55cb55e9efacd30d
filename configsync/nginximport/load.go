package nginximport

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// What one import may hold. nginx itself has no bounds; these keep an include that is repeated
// from filling the memory.
const (
	maxStatements = 500_000
	maxNesting    = 40 // of blocks, and of includes
)

// loader follows includes where they stand, as nginx does.
type loader struct {
	files   Files
	bytes   int
	count   int
	open    []string // the files that are being read, outermost first
	skipped int      // files of Sluice's own tree
}

func (l *loader) load(name string, depth int) ([]*statement, error) {
	for i, o := range l.open {
		if o == name {
			return nil, fmt.Errorf("files include each other without end: %s: take one of the includes out", strings.Join(append(l.open[i:], name), " -> "))
		}
	}
	if len(l.open) >= maxNesting {
		return nil, fmt.Errorf("%s: includes are nested more than %d deep", name, maxNesting)
	}
	data, err := l.files.Read(name)
	if err != nil {
		return nil, err
	}
	if l.bytes += len(data); l.bytes > maxBytes {
		return nil, errTooLarge
	}
	config, err := nginxconf.Parse(name, string(data))
	if err != nil {
		return nil, fmt.Errorf("%w: nothing was imported; settle what nginx -t says first", err)
	}
	l.open = append(l.open, name)
	defer func() { l.open = l.open[:len(l.open)-1] }()
	return l.expand(name, config.Directives, depth)
}

// expand wraps directives, with included ones in the place of their include.
func (l *loader) expand(file string, list []*nginxconf.Directive, depth int) ([]*statement, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("%s:%d: blocks are nested more than %d deep", file, list[0].Line(), maxNesting)
	}
	out := make([]*statement, 0, len(list))
	for _, d := range list {
		if l.count++; l.count > maxStatements {
			return nil, fmt.Errorf("%s:%d: there are more than %d directives, included ones counted each time: import a part of it with --from FILE", file, d.Line(), maxStatements)
		}
		s := &statement{Directive: d, file: file}
		out = append(out, s)
		switch {
		case d.Name() == "include" && d.Block == nil && len(d.Words) == 2:
			s.said = true
			kids, err := l.include(s, depth)
			if err != nil {
				return nil, err
			}
			out = append(out, kids...)
		case d.Block != nil && len(d.Block.Directives) > 0:
			kids, err := l.expand(file, d.Block.Directives, depth+1)
			if err != nil {
				return nil, err
			}
			s.kids = kids
		}
	}
	return out, nil
}

func (l *loader) include(s *statement, depth int) ([]*statement, error) {
	pattern := s.arg(0)
	if !path.IsAbs(pattern) {
		pattern = path.Join(path.Dir(l.files.Main), pattern)
	}
	if skip := l.files.Skip; skip != "" && strings.HasPrefix(pattern, strings.TrimSuffix(skip, "/")+"/") {
		l.skipped++
		return nil, nil
	}
	names := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		names = l.files.Match(pattern)
	}
	var out []*statement
	for _, name := range names {
		list, err := l.load(name, depth)
		var syntax *nginxconf.SyntaxError
		if err != nil && len(l.open) > 0 && !errors.As(err, &syntax) && !strings.Contains(err.Error(), "included at") {
			err = fmt.Errorf("%w (included at %s:%d)", err, s.file, s.Line())
		}
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}
