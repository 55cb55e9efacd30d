package agent

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// maxPush keeps a push in the memory of nginx's worker (client_body_buffer_size), and the worker
// from being busy with it for longer than some milliseconds.
const maxPush = 128 << 10

const (
	liveHead = "sluice-live 1\n"
	// livePart is the version of nginx's sets between the parts of a push.
	livePart = "partial"
)

// liveSets are endpoint sets as nginx is to have them.
type liveSets struct {
	version string            // empty: there are none yet
	texts   map[string]string // by the upstream's name in nginx, as they are pushed
	kept    map[string]bool   // of texts, those that the control plane has no more
}

// merge returns the sets after a change, and the names that it changed or removed. A set that
// is not to be had any more stays while keep says so: files that nginx loads still name it.
func (s liveSets) merge(change protocol.LiveSets, keep func(name string) bool) (liveSets, []string, error) {
	if change.Since != "" && change.Since != s.version {
		return s, nil, fmt.Errorf("the control plane sent what changed since %q, and these sets are %q", change.Since, s.version)
	}
	next := liveSets{version: change.Version, texts: map[string]string{}, kept: map[string]bool{}}
	fresh := map[string]bool{}
	for _, set := range change.Sets {
		text, err := set.Text()
		if err != nil {
			return s, nil, err
		}
		next.texts[set.Upstream], fresh[set.Upstream] = text, true
	}
	gone := map[string]bool{}
	for _, name := range change.Removed {
		gone[name] = true
	}
	for name, text := range s.texts {
		dropped := change.Since == "" || gone[name] || s.kept[name]
		if fresh[name] || dropped && !keep(name) {
			continue
		}
		next.texts[name] = text
		if dropped {
			next.kept[name] = true
		}
	}
	return next, s.changed(next), nil
}

// without returns the sets without some of them.
func (s liveSets) without(names []string) liveSets {
	if len(names) == 0 {
		return s
	}
	next := liveSets{version: s.version, texts: maps.Clone(s.texts), kept: maps.Clone(s.kept)}
	for _, name := range names {
		delete(next.texts, name)
		delete(next.kept, name)
	}
	return next
}

// changed lists the names whose sets differ, sorted.
func (s liveSets) changed(next liveSets) []string {
	names := map[string]bool{}
	for name, text := range next.texts {
		if s.texts[name] != text {
			names[name] = true
		}
	}
	for name := range s.texts {
		if _, ok := next.texts[name]; !ok {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// pushes are the bodies that bring nginx to the version: of the named sets, or of all for a
// from of "".
func (s liveSets) pushes(from string, names []string) [][]byte {
	if from == "" {
		names = slices.Sorted(maps.Keys(s.texts))
	}
	var list [][]byte
	var b strings.Builder
	begin := func() {
		b.Reset()
		b.WriteString(liveHead)
		if from != "" {
			b.WriteString("from " + from + "\n")
		}
	}
	begin()
	for _, name := range names {
		text, ok := s.texts[name]
		if !ok {
			text = "delete " + name + "\n"
		}
		if b.Len()+len(text) > maxPush && b.Len() > len(liveHead)+100 {
			list = append(list, []byte(b.String()+"version "+livePart+"\n"))
			from = livePart
			begin()
		}
		b.WriteString(text)
	}
	return append(list, []byte(b.String()+"version "+s.version+"\n"))
}

// save writes the file that nginx reads when it starts. Only nginx's master and the agent can
// open its folder.
func (s liveSets) save(path string) error {
	var b strings.Builder
	b.WriteString(liveHead)
	for _, name := range slices.Sorted(maps.Keys(s.texts)) {
		b.WriteString(s.texts[name])
	}
	b.WriteString("version " + s.version + "\n")
	return writeFile(path, []byte(b.String()), nil)
}

// loadSets reads the file back; one that is damaged counts as none, since the control plane
// has the sets.
func loadSets(path string) (liveSets, error) {
	s := liveSets{texts: map[string]string{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	rest, ok := strings.CutPrefix(string(b), liveHead)
	name := ""
	for line := range strings.Lines(rest) {
		word, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch {
		case word == "version":
			s.version = value
		case word == "set" && nginxconf.ValidSetName(value):
			name = value
			s.texts[name] = line
		case name != "":
			s.texts[name] += line
		default:
			ok = false
		}
	}
	if !ok || s.version == "" {
		return liveSets{texts: map[string]string{}}, fmt.Errorf("%s is damaged and is written anew: it does not begin with %q and end with a version", path, liveHead[:len(liveHead)-1])
	}
	return s, nil
}
