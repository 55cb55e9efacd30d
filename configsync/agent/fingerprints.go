package agent

import (
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// files are all that nginx loads, with the certificates and keys of the tree.
func (a *agent) files() ([]loadedFile, error) {
	files, err := a.nginx.files(a.disk)
	if err != nil {
		return nil, err
	}
	return append(files, a.disk.texts()...), nil
}

// seeLoads compares the workers with the files, and says when somebody else made nginx load
// them. of is the files' fingerprint.
func (a *agent) seeLoads(files []loadedFile, of string) {
	now := time.Now().UTC() // by the clock that stamps files
	master := a.nginx.master()
	accepting, draining := a.nginx.workers()
	a.debt.see(accepting, draining, now)
	a.lastMaster, a.lastWorkers = master, processes(accepting)
	g := glance{now: now, master: master, workers: accepting, fingerprint: of,
		changed: lastChange(files, a.disk.link(), a.nginx.conf), hups: a.applier.hups, crashed: a.nginx.crashed}
	if a.loads.see(g) && a.loads.By == gateway.LoadedByHand {
		a.cfg.Log.Warn("nginx was reloaded by somebody else", "at", a.loads.At, "files_on_disk_are_loaded", a.loads.Fingerprint == g.fingerprint)
	}
}

// noteLoad is called as soon as nginx runs what is on disk: later it would look as if
// somebody else had reloaded it, should the agent be killed.
func (a *agent) noteLoad() {
	if files, err := a.files(); err == nil {
		of := fingerprint(files, a.disk.link())
		a.seeLoads(files, of)
		if note := a.disk.readAlike(); note.Tree == a.disk.current() && note.Worker != note.Tree {
			a.loads.equal(of)
		}
	}
}

// diskIsLoaded says whether nginx runs exactly what is on disk.
func (a *agent) diskIsLoaded() bool {
	files, err := a.files()
	if err != nil {
		return false
	}
	of := fingerprint(files, a.disk.link())
	a.seeLoads(files, of)
	return a.loads.Fingerprint == of
}

// desiredFingerprint is that of the loaded files with the tree as the desired bundle has it. of
// is their own.
func (a *agent) desiredFingerprint(files []loadedFile, of string) string {
	tree := a.pristineTree(a.disk.current())
	if tree == nil || tree.Digest != a.desired {
		return ""
	}
	var list []loadedFile
	same := 0
	for _, f := range files {
		name, inside := strings.CutPrefix(f.path, a.disk.link()+"/")
		if !inside {
			list = append(list, f)
		} else if want := tree.File(name); want != nil && want.Data == string(f.data) {
			same++
		}
	}
	if same == len(tree.Files) && same+len(list) == len(files) {
		return of
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
