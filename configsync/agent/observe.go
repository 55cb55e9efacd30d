package agent

import (
	"bytes"
	"context"
	"os"
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
	files                     []loadedFile // where nothing was edited by hand; see asBefore
	desired                   string       // at that moment
}

// observe looks at the files and asks nginx what it runs.
func (a *agent) observe(ctx context.Context) {
	before, now := a.seen, a.cfg.Now().UTC()
	a.disk.read.turn()
	seen := observation{onDisk: a.disk.current(), onDiskSince: before.onDiskSince, runningSince: before.runningSince, checkError: before.checkError}
	own, _ := os.ReadFile(a.nginx.ownMain(a.disk)) // what it lacks is found missing below
	files, err := a.files()
	if err != nil {
		seen.checkError = err.Error()
	} else {
		a.observeFiles(ctx, files, &seen)
		if seen.checkError == "" || a.nginx.owned(a.disk) {
			a.nginx.learnMain(a.disk, own)
		}
	}
	if tree := a.pristineTree(seen.onDisk); tree != nil && seen.files == nil {
		list, err := a.applier.drifted(seen.onDisk, tree)
		if err != nil {
			a.cfg.Log.Warn("look for edits by hand", "error", err)
		}
		if seen.drift = a.owners.fill(ctx, list, func(path string) string { return a.applier.place(seen.onDisk, path) }); err == nil && len(list) == 0 {
			seen.files = files
		}
	}
	seen.running, seen.answer, _ = a.applier.running(ctx) // an nginx that does not answer runs nothing of ours
	a.live.expect(seen.running, seen.running != "" && seen.running == seen.onDisk && a.hasSets())
	if seen.onDisk != before.onDisk {
		if seen.onDisk == "" {
			a.cfg.Log.Warn("the tree that nginx would load was removed by hand; it is applied again as soon as the control plane answers", "digest", before.onDisk)
		}
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

// observeFiles looks at what nginx loads.
func (a *agent) observeFiles(ctx context.Context, files []loadedFile, seen *observation) {
	same := a.asBefore(files, seen.onDisk)
	if same {
		a.nginx.learnPID(files)
	} else {
		a.nginx.learn(files, a.disk.link())
	}
	a.lua.look(ctx, a.nginx, files, a.disk.link())
	if same {
		seen.files, seen.desired, seen.fingerprint, seen.desiredFingerprint, seen.tree = files, a.seen.desired, a.seen.fingerprint, a.seen.desiredFingerprint, a.seen.tree
	} else {
		seen.desired, seen.fingerprint = a.desired, fingerprint(files, a.disk.link())
		seen.desiredFingerprint = a.desiredFingerprint(files, seen.fingerprint)
		seen.tree = uploadTree(files, a.disk.link(), seen.fingerprint)
	}
	if ctx.Err() == nil {
		a.seeLoads(files, seen.fingerprint)
	}
	if same {
		return
	}
	dirs := folders(files, a.disk)
	dirs[filepath.Dir(a.nginx.conf)] = true // also while it is a link
	a.watcher.follow(dirs)
	// The same bytes get the same answer; only new ones are worth a process.
	if seen.fingerprint != a.seen.fingerprint {
		seen.checkError = ""
		if e := a.test(ctx, files, seen.onDisk); e != nil {
			seen.checkError = e.message
		}
	}
}

// asBefore says whether the files are those of the last look, when none was edited, and nobody
// has touched them since. The agent looks when workers start or end, too.
func (a *agent) asBefore(files []loadedFile, onDisk string) bool {
	return a.seen.files != nil && onDisk == a.seen.onDisk && a.desired == a.seen.desired && slices.EqualFunc(files, a.seen.files, func(x, y loadedFile) bool {
		return x.path == y.path && x.changed.Equal(y.changed) && bytes.Equal(x.data, y.data)
	})
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
