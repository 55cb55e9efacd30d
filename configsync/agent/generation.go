package agent

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"
)

// generation notices when nginx has read its configuration: only then do new workers run
// something else. Workers that the master replaces because they died run the same as before:
// for them the master reads little (the C library's words for the signal), for a new
// configuration at least its size.
type generation struct {
	looked  bool
	master  int
	workers map[int]bool
	read    uint64 // bytes that the master has read so far
	recent  uint64 // of them, between the last two looks
	pending bool   // it has read a configuration, and no new worker was seen yet
}

// leastRead is more than the master reads when a worker dies, and less than for any
// configuration: libraries read files of their own then.
const leastRead = 4 << 10

// The outcomes of a look.
const (
	sameGeneration = iota
	newGeneration
	// unknownGeneration: nginx ran before the agent did.
	unknownGeneration
)

// look says whether workers of a new generation have appeared since the last look. size is
// that of all files that nginx loads.
func (g *generation) look(n *nginx, size int) int {
	master := n.master()
	if master == 0 {
		*g = generation{looked: true}
		return sameGeneration
	}
	read, workers := bytesRead(master), map[int]bool{}
	for _, w := range n.workers() {
		workers[w.pid] = true
	}
	before := *g
	*g = generation{looked: true, master: master, workers: workers, read: read, recent: read - before.read}
	g.pending = before.pending || g.recent+before.recent >= max(leastRead, uint64(size))
	switch {
	case !before.looked:
		g.pending, g.recent = false, 0
		return unknownGeneration
	case master != before.master:
		g.pending, g.recent = false, 0
		return newGeneration
	}
	for pid := range workers {
		if g.pending && !before.workers[pid] {
			g.pending, g.recent = false, 0
			return newGeneration
		}
	}
	return sameGeneration
}

// lookAtGeneration remembers what it sees until the next observation.
func (a *agent) lookAtGeneration() int {
	if seen := a.generation.look(a.nginx, a.seen.tree.Size()); seen != sameGeneration {
		a.fresh = seen
	}
	return a.fresh
}

// readBy is the fingerprint of what nginx has read: that of the files at the moment when its
// workers appeared.
func (a *agent) readBy(files []loadedFile, seen observation) string {
	fresh := a.lookAtGeneration()
	a.fresh = sameGeneration
	switch {
	case a.generation.master == 0:
		return ""
	case fresh == newGeneration, fresh == unknownGeneration && readSinceChange(a.nginx, files, a.disk.link()):
		return seen.fingerprint
	}
	return seen.runningFingerprint
}

// bytesRead is how many bytes a process has read from files, or 0.
func bytesRead(pid int) uint64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/io")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	n, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(first, "rchar:")), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// readSinceChange says, for the first look at a node, whether the present workers started
// after the newest change of any file, so that they run what is on disk.
func readSinceChange(n *nginx, files []loadedFile, link string) bool {
	var newest time.Time
	for _, path := range append([]string{link}, paths(files)...) {
		info, err := os.Lstat(path)
		if err != nil {
			continue
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		if info, err = os.Stat(path); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	workers := n.workers()
	for _, w := range workers {
		if started, ok := startTime(w.pid); !ok || !started.After(newest) {
			return false
		}
	}
	return len(workers) > 0
}

func paths(files []loadedFile) []string {
	out := make([]string, len(files))
	for i, f := range files {
		out[i] = f.path
	}
	return out
}

// startTime is when a process was started, to a hundredth of a second.
func startTime(pid int) (time.Time, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return time.Time{}, false
	}
	// The name in brackets may hold blanks; field 22 is the 20th behind it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	boot, ok := bootTime()
	if len(fields) < 20 || !ok {
		return time.Time{}, false
	}
	ticks, err := strconv.ParseInt(string(fields[19]), 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return boot.Add(time.Duration(ticks) * 10 * time.Millisecond), true // USER_HZ is 100 on Linux
}

func bootTime() (time.Time, bool) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, false
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, "btime "); ok {
			s, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			return time.Unix(s, 0), err == nil
		}
	}
	return time.Time{}, false
}
