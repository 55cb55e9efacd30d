package agent

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// observation is what the node looks like at one moment.
type observation struct {
	onDisk, running           string
	onDiskSince, runningSince time.Time
	drift                     []gateway.FileDrift
	checkError                string
	fingerprint               string
	desiredFingerprint        string
	answer                    string // what workers say, which may stand for running
	tree                      protocol.NodeTree
}

// observe looks at the files and asks nginx what it runs.
func (a *agent) observe(ctx context.Context) {
	before, now := a.seen, a.cfg.Now().UTC()
	seen := observation{onDisk: a.disk.current(), onDiskSince: before.onDiskSince, runningSince: before.runningSince, checkError: before.checkError}
	if files, err := a.files(); err != nil {
		seen.checkError = err.Error()
	} else {
		a.nginx.learn(files, a.disk.link())
		a.lua.look(ctx, a.nginx, files, a.disk.link())
		seen.fingerprint = fingerprint(files, a.disk.link())
		seen.tree = uploadTree(files, a.disk.link(), seen.fingerprint)
		seen.desiredFingerprint = a.desiredFingerprint(files)
		if ctx.Err() == nil {
			a.seeLoads(files)
		}
		a.nginx.learnMain(a.disk)
		dirs := folders(files, a.disk)
		dirs[filepath.Dir(a.nginx.conf)] = true // also while it is a link
		a.watcher.follow(dirs)
		// The same bytes get the same answer; only new ones are worth a process.
		if seen.fingerprint != before.fingerprint {
			seen.checkError = ""
			if e := a.nginx.test(ctx, a.nginx.conf); e != nil {
				seen.checkError = e.message
			}
		}
	}
	if tree := a.pristineTree(seen.onDisk); tree != nil {
		list, err := a.applier.drifted(seen.onDisk, tree)
		if err != nil {
			a.cfg.Log.Warn("look for edits by hand", "error", err)
		}
		seen.drift = a.owners.fill(ctx, list, a.disk.tree(seen.onDisk))
	}
	seen.running, seen.answer, _ = a.applier.running(ctx) // an nginx that does not answer runs nothing of ours
	a.live.expect(seen.running, seen.running != "" && seen.running == seen.onDisk && a.hasSets())
	if seen.onDisk != before.onDisk {
		seen.onDiskSince = now
	}
	if seen.running != before.running {
		seen.runningSince = now
	}
	if ctx.Err() != nil {
		return // half of this was cut off by shutting down
	}
	if seen.fingerprint != before.fingerprint {
		a.retryAt = time.Now() // somebody changed what the bundle may have failed on
	}
	a.seen = seen
	a.logDrift(before)
}

// files are all that nginx loads, with the certificates and keys of the tree.
func (a *agent) files() ([]loadedFile, error) {
	files, err := a.nginx.files(a.disk)
	if err != nil {
		return nil, err
	}
	return append(files, a.disk.texts()...), nil
}

// seeLoads compares the workers with the files, and says when somebody else made nginx load
// them.
func (a *agent) seeLoads(files []loadedFile) {
	now := time.Now().UTC() // by the clock that stamps files
	master := a.nginx.master()
	accepting, draining := a.nginx.workers()
	a.debt.see(accepting, draining, now)
	g := glance{now: now, master: master, workers: accepting, fingerprint: fingerprint(files, a.disk.link()),
		changed: lastChange(files, a.disk.link(), a.nginx.conf), hups: a.applier.hups, crashed: a.nginx.crashed}
	if a.loads.see(g) && a.loads.By == gateway.LoadedByHand {
		a.cfg.Log.Warn("nginx was reloaded by somebody else", "at", a.loads.At, "files_on_disk_are_loaded", a.loads.Fingerprint == g.fingerprint)
	}
}

// noteLoad is called as soon as nginx runs what is on disk: later it would look as if
// somebody else had reloaded it, should the agent be killed.
func (a *agent) noteLoad() {
	if files, err := a.files(); err == nil {
		a.seeLoads(files)
		if note := a.disk.readAlike(); note.Tree == a.disk.current() && note.Worker != note.Tree {
			a.loads.equal(fingerprint(files, a.disk.link()))
		}
	}
}

// diskIsLoaded says whether nginx runs exactly what is on disk.
func (a *agent) diskIsLoaded() bool {
	files, err := a.files()
	if err != nil {
		return false
	}
	a.seeLoads(files)
	return a.loads.Fingerprint == fingerprint(files, a.disk.link())
}

// desiredFingerprint is that of the loaded files with the tree as the desired bundle has it.
func (a *agent) desiredFingerprint(files []loadedFile) string {
	tree := a.pristineTree(a.disk.current())
	if tree == nil || tree.Digest != a.desired {
		return ""
	}
	var list []loadedFile
	for _, f := range files {
		if !strings.HasPrefix(f.path, a.disk.link()+"/") {
			list = append(list, f)
		}
	}
	for _, f := range tree.Files {
		list = append(list, loadedFile{path: a.disk.link() + "/" + f.Path, data: []byte(f.Data)})
	}
	return fingerprint(list, a.disk.link())
}

// hasSets says whether the tree on disk takes endpoint sets.
func (a *agent) hasSets() bool {
	return a.pristine != nil && a.pristine.Digest == a.disk.current() && a.pristine.File(nginxconf.LuaFile) != nil
}

// pristineTree remembers the bundle of the current tree.
func (a *agent) pristineTree(digest string) *nginxconf.Tree {
	if digest == "" {
		return nil
	}
	if a.pristine == nil || a.pristine.Digest != digest {
		a.pristine = a.disk.pristine(digest)
	}
	return a.pristine
}

func (a *agent) logDrift(before observation) {
	known := map[string]bool{}
	for _, d := range before.drift {
		known[d.Path+d.Change+d.Diff] = true
	}
	for _, d := range a.seen.drift {
		if !known[d.Path+d.Change+d.Diff] {
			a.cfg.Log.Warn("a file differs from its bundle: it was changed by hand", "file", d.Path, "change", d.Change, "digest", a.seen.onDisk)
		}
	}
	if a.seen.checkError != "" && a.seen.checkError != before.checkError {
		a.cfg.Log.Error("nginx would not start with the files on disk", "error", a.seen.checkError)
	}
}

func uploadTree(files []loadedFile, link, fingerprint string) protocol.NodeTree {
	t := protocol.NodeTree{Fingerprint: fingerprint}
	for _, f := range files {
		file := protocol.NodeFile{Path: shownPath(f.path, link), Data: f.data}
		if f.private || nginxconf.HasSecret(string(f.data)) {
			file.Data, file.Hidden = []byte(nginxconf.Hide(string(f.data))), true
		}
		t.Files = append(t.Files, file)
	}
	return t
}

// report sums up the agent's view.
func (a *agent) report() gateway.NodeReport {
	s := a.seen
	r := gateway.NodeReport{
		Fleet: a.cfg.Fleet, Node: a.cfg.Node, Facts: a.facts(),
		OnDisk: s.onDisk, OnDiskSince: s.onDiskSince, Running: s.running, RunningSince: s.runningSince,
		Failed: a.failed, Drift: shorten(s.drift), Overwritten: shorten(a.applier.overwritten), CheckError: s.checkError,
		Endpoints: a.lua.endpoints(a.pristineTree(s.onDisk)), Live: a.live.version(),
		Reloads: a.applier.reloads, ReloadsFailed: a.applier.reloadsFailed, Fingerprint: s.fingerprint,
		NodeLoad: gateway.NodeLoad{
			DesiredFingerprint: s.desiredFingerprint, RunningFingerprint: a.loads.Fingerprint, LoadedAt: a.loads.At, LoadedBy: a.loads.By,
			DrainingWorkers: len(a.debt.since), OldestDraining: a.debt.oldest(), Orphans: pids(a.orphans),
			Recovered: a.applier.recovered, ClockOff: a.cfg.identity.ahead(),
		},
		Settled: a.results,
	}
	if s.answer != s.running {
		r.RunningAs = s.answer
	}
	if n := a.debt.stretch(); n > 1 {
		r.ReloadEvery = gateway.Duration(n * a.reloadEvery)
	}
	if a.nginx.old != nil {
		r.RunningVersion = a.nginx.old.version
	}
	r.Reason = reasonFor(r, a.desired)
	return r
}

// The most that a report says about edits; the uploaded files have it all.
const (
	maxDrift = 200
	maxDiff  = 16 << 10
)

// shorten keeps a report small, whatever was done to the files.
func shorten(list []gateway.FileDrift) []gateway.FileDrift {
	if list == nil {
		return nil
	}
	short := slices.Clone(list[:min(maxDrift, len(list))])
	for i, d := range short {
		if len(d.Diff) > maxDiff {
			short[i].Diff = strings.ToValidUTF8(d.Diff[:maxDiff], "") + "\n... and more; compare the uploaded files\n"
		}
		short[i].Hunks = shortHunks(d.Hunks)
	}
	return short
}

// shortHunks does the same for hunks, whose identity stays that of the whole text.
func shortHunks(list []gateway.Hunk) []gateway.Hunk {
	short := slices.Clone(list[:min(maxDrift, len(list))])
	for i, h := range short {
		short[i].Old, short[i].New = shortText(h.Old), shortText(h.New)
	}
	return short
}

func shortText(text string) string {
	if len(text) <= maxDiff/4 {
		return text
	}
	return strings.ToValidUTF8(text[:maxDiff/4], "") + " ..."
}
