package agent

import (
	"path/filepath"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// httpAccessLog is what nginx.conf says about access logs at the level of http, apart from the
// rendered tree, in the words of NodeFacts: "off", nothing where it names logs of its own, or
// the path that nginx was built with where it says nothing.
func httpAccessLog(files []loadedFile, conf, link, compiled string) string {
	byPath := map[string]*nginxconf.Config{}
	for _, f := range files {
		byPath[f.path] = f.config
	}
	s := logSearch{files: byPath, dir: filepath.Dir(conf), link: link, seen: map[string]bool{}}
	for _, f := range files {
		if f.config == nil {
			continue
		}
		for _, d := range f.config.Directives {
			if d.Name() == "http" && d.Block != nil {
				s.search(d.Block.Directives)
			}
		}
	}
	switch {
	case s.off:
		return nginxconf.AccessLogOff
	case s.own:
		return ""
	}
	return compiled
}

// logSearch looks for access_log in a block and what it includes.
type logSearch struct {
	files     map[string]*nginxconf.Config
	dir, link string
	seen      map[string]bool
	off, own  bool
}

func (s *logSearch) search(list []*nginxconf.Directive) {
	for _, d := range list {
		switch args := d.Args(); {
		case len(args) == 0 || d.Block != nil:
		case d.Name() == "access_log":
			s.off = s.off || args[0] == "off"
			s.own = true
		case d.Name() == "include":
			for _, path := range glob(under(s.dir, args[0])) {
				if c := s.files[path]; c != nil && !s.seen[path] && !strings.HasPrefix(path, s.link+"/") {
					s.seen[path] = true
					s.search(c.Directives)
				}
			}
		}
	}
}
