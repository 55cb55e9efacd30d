package agent

import (
	"context"
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
	tree                      protocol.NodeTree
}

// observe looks at the files and asks nginx what it runs.
func (a *agent) observe(ctx context.Context) {
	before, now := a.seen, time.Now().UTC()
	seen := observation{onDisk: a.disk.current(), onDiskSince: before.onDiskSince, runningSince: before.runningSince, checkError: before.checkError}
	if files, err := loadFiles(a.nginx.conf); err != nil {
		seen.checkError = err.Error()
	} else {
		a.nginx.learn(files, a.disk.link())
		seen.fingerprint = fingerprint(files, a.disk.link())
		seen.tree = uploadTree(files, a.disk.link(), seen.fingerprint)
		a.watcher.follow(folders(files, a.disk))
		// The same bytes get the same answer; only new ones are worth a process.
		if seen.fingerprint != before.fingerprint {
			seen.checkError = ""
			if e := a.test(ctx, files, seen.onDisk); e != nil {
				seen.checkError = e.message
			}
		}
	}
	if tree := a.pristineTree(seen.onDisk); tree != nil {
		list, err := drift(a.disk.tree(seen.onDisk), tree)
		if err != nil {
			a.cfg.Log.Warn("compare the tree with its bundle", "digest", seen.onDisk, "error", err)
		}
		seen.drift = list
	}
	seen.running, _ = a.nginx.running(ctx) // an nginx that does not answer runs nothing of ours
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
		a.retryAt = now // somebody changed what the bundle may have failed on
	}
	a.seen = seen
	a.logDrift(before)
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
	known := map[gateway.FileDrift]bool{}
	for _, d := range before.drift {
		known[d] = true
	}
	for _, d := range a.seen.drift {
		if !known[d] {
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
		t.Files = append(t.Files, protocol.NodeFile{Path: shownPath(f.path, link), Data: f.data})
	}
	return t
}

// report sums up the agent's view.
func (a *agent) report() gateway.NodeReport {
	s := a.seen
	return gateway.NodeReport{
		Fleet: a.cfg.Fleet, Node: a.cfg.Node, Facts: a.facts(),
		OnDisk: s.onDisk, OnDiskSince: s.onDiskSince, Running: s.running, RunningSince: s.runningSince,
		Failed: a.failed, Drift: shorten(s.drift), Overwritten: shorten(a.applier.overwritten), CheckError: s.checkError,
		Reloads: a.applier.reloads, ReloadsFailed: a.applier.reloadsFailed, Fingerprint: s.fingerprint,
	}
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
	}
	return short
}
