package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// loads knows which files the running workers were started with. nginx itself tells only
// the digest in our tree, which stays the same when somebody edits a file.
//
// Workers read nothing after their start: what they run is what was on disk when the oldest
// of them was started. So each set of workers that replaces the one before is compared with
// the times at which the files were changed. What was found is kept beside the tree, so that
// an agent that starts knows what nginx loaded long before.
type loads struct {
	path string
	loadState
}

// loadState is what is kept in the file.
type loadState struct {
	Master      process          `json:"master"`
	Workers     []process        `json:"workers"` // that take connections
	Fingerprint string           `json:"fingerprint"`
	At          time.Time        `json:"at"`
	By          gateway.LoadedBy `json:"by"`
	// Past are the newest states of the files, the newest last.
	Past []fileState `json:"past"`
	hups uint64
}

// process is named so that another one with its pid is not taken for it.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
}

func processes(list []worker) (out []process) {
	for _, w := range list {
		out = append(out, process{w.pid, w.start})
	}
	return out
}

// fileState is what nginx would have loaded from a moment on.
type fileState struct {
	Fingerprint string    `json:"fingerprint"`
	Changed     time.Time `json:"changed"`
}

// keepStates bounds Past, and startSlack is how exactly the start of a process is known.
const (
	keepStates = 8
	startSlack = 50 * time.Millisecond
)

func readLoads(path string) *loads {
	l := &loads{path: path}
	if b, err := os.ReadFile(path); err == nil && json.Unmarshal(b, &l.loadState) != nil {
		l.loadState = loadState{} // it is found out anew as far as it can be
	}
	return l
}

// glance is what is looked at together.
type glance struct {
	now         time.Time
	master      int
	workers     []worker
	fingerprint string
	changed     time.Time // the newest change of a file, by its time
	hups        uint64    // reloads that the agent has asked for
	crashed     func([]process) bool
}

// see takes a glance in and says whether workers were started with new files.
func (l *loads) see(g glance) (loaded bool) {
	before := l.loadState
	l.changed(g)
	fresh, missing := l.compare(g.workers)
	switch {
	case len(g.workers) == 0:
	case len(fresh) == 0:
		l.hups = g.hups
	case l.master(g) && g.crashed(missing):
		l.replace(g) // those that died were replaced
	case len(fresh) == len(g.workers):
		l.load(g)
		l.replace(g)
		loaded = true
	}
	// Else old and new workers take connections at once: nginx is in the middle of a reload.
	if !same(before, l.loadState) {
		l.keep()
	}
	return loaded
}

// compare names the workers that were not there before, and those that were and take no
// connections any more.
func (l *loads) compare(list []worker) (fresh, missing []process) {
	var now []process
	for _, w := range list {
		p := process{w.pid, w.start}
		if now = append(now, p); !slices.Contains(l.Workers, p) {
			fresh = append(fresh, p)
		}
	}
	for _, p := range l.Workers {
		if !slices.Contains(now, p) {
			missing = append(missing, p)
		}
	}
	return fresh, missing
}

func (l *loads) replace(g glance) {
	l.Workers = processes(g.workers)
	l.Master, l.hups = process{g.master, processStart(g.master)}, g.hups
}

// changed adds the files' state to the past if it is new. A file that was removed leaves no
// time behind, so the change can't be older than the state before it.
func (l *loads) changed(g glance) {
	if g.fingerprint == "" {
		return
	}
	at := g.changed
	if at.After(g.now) {
		at = time.Time{} // the clock was wrong then
	}
	if n := len(l.Past); n > 0 {
		if l.Past[n-1].Fingerprint == g.fingerprint {
			return
		}
		if l.Past[n-1].Changed.After(at) && !l.Past[n-1].Changed.After(g.now) {
			at = l.Past[n-1].Changed
		}
	}
	l.Past = append(l.Past, fileState{g.fingerprint, at})
	l.Past = slices.Clone(l.Past[max(0, len(l.Past)-keepStates):])
}

func (l *loads) master(g glance) bool { return l.Master == process{g.master, processStart(g.master)} }

// load finds what was on disk when the workers were started.
func (l *loads) load(g glance) {
	oldest := slices.MinFunc(g.workers, func(a, b worker) int { return int(int64(a.start) - int64(b.start)) })
	l.At = startedAt(oldest.start, g.now).UTC().Truncate(time.Millisecond)
	l.Fingerprint = ""
	for _, s := range l.Past {
		if !s.Changed.After(l.At.Add(startSlack)) {
			l.Fingerprint = s.Fingerprint
		}
	}
	switch {
	case g.hups > l.hups:
		l.By = gateway.LoadedByAgent
	case !l.master(g) && (l.Master.PID != 0 || near(oldest.start, processStart(g.master))):
		l.By = gateway.LoadedByStart
	case l.Master.PID != 0:
		l.By = gateway.LoadedByHand
	default:
		l.By = "" // it was reloaded before this agent knew it
	}
}

// near says whether a worker was started together with its master, within two seconds.
func near(worker, master uint64) bool { return worker-master < 2*ticks }

// equal says that nginx runs what is on disk, without a reload: see sameToNginx.
func (l *loads) equal(fingerprint string) {
	l.Fingerprint = fingerprint
	l.keep()
}

// orphans are the workers that go on after their master is gone.
func (l *loads) orphans() (list []worker) {
	for _, p := range l.Workers {
		if w := (worker{pid: p.PID, start: p.Start}); w.alive() {
			list = append(list, w)
		}
	}
	return list
}

// keep writes the state. Losing it costs what only it knows, so a disk that is full is no
// reason to stop.
func (l *loads) keep() {
	if b, err := json.Marshal(l.loadState); err == nil {
		_ = writeFile(l.path, b, nil)
	}
}

func same(a, b loadState) bool {
	return a.Master == b.Master && slices.Equal(a.Workers, b.Workers) && a.Fingerprint == b.Fingerprint && a.At.Equal(b.At) && a.By == b.By &&
		slices.EqualFunc(a.Past, b.Past, func(x, y fileState) bool { return x.Fingerprint == y.Fingerprint && x.Changed.Equal(y.Changed) })
}

// lastChange is when the files, or the links that lead to them, were changed last. It is the
// time of the change, which unlike that of the content can't be set: a file that was moved here
// or copied with its times counts from then on.
func lastChange(files []loadedFile, links ...string) (newest time.Time) {
	for _, f := range files {
		newest = later(newest, f.changed)
	}
	for _, path := range links {
		if info, err := os.Lstat(path); err == nil {
			_, changed := identify(info)
			newest = later(newest, changed)
		}
	}
	return newest
}

// crashed says whether nginx's error log tells that all of the workers died: nginx replaces
// such a worker without loading its files.
func (n *nginx) crashed(list []process) bool {
	log := logEnd(n.errorLogPath)
	for _, p := range list {
		if !strings.Contains(log, fmt.Sprintf("worker process %d exited on signal", p.PID)) && !strings.Contains(log, fmt.Sprintf("worker process %d exited with fatal code", p.PID)) {
			return false
		}
	}
	return len(list) > 0
}

func (d disk) loads() string { return filepath.Join(d.root, ".loads.json") }
