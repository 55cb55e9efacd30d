package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// alike notes that the workers' answer stands for another bundle: nginx reads both as the
// same configuration, so it was not reloaded.
type alike struct {
	Worker string `json:"worker"` // what workers answer
	Tree   string `json:"tree"`   // what is on disk
}

func (d disk) alike() string { return filepath.Join(d.root, ".alike.json") }

func (d disk) readAlike() (note alike) {
	if b, err := os.ReadFile(d.alike()); err == nil {
		_ = json.Unmarshal(b, &note) // without the note nginx is reloaded, which does no harm
	}
	return note
}

// running is the bundle that nginx runs, and what its workers call it.
func (a *applier) running(ctx context.Context) (digest, answer string, err error) {
	answer, err = a.nginx.running(ctx)
	if note := a.disk.readAlike(); err == nil && note.Worker == answer && note.Tree == a.disk.current() {
		return note.Tree, answer, nil
	}
	return answer, answer, err
}

// reloadNeeded says whether nginx would notice the difference between the tree on disk and
// a new one. When in doubt it would: only white space and comments are known to be nothing.
//
// All has to be true to spare a reload: nginx runs the previous bundle and nothing else that
// has been edited since, the previous tree is as it was received, and both bundles have the
// same words in the same places of the same files.
func (a *applier) reloadNeeded(ctx context.Context, previous string, tree *nginxconf.Tree) bool {
	old := a.disk.pristine(previous)
	if old == nil || !sameToNginx(old, tree) || a.loaded == nil || !a.loaded() || a.nginx.master() == 0 {
		return true
	}
	if edits, err := a.disk.drift(a.disk.tree(previous), old, a.places(previous)); err != nil || len(edits) > 0 {
		return true
	}
	digest, _, err := a.running(ctx)
	return err != nil || digest != previous
}

// spareReload proves that nginx runs the new tree although it was not told to load it: its
// workers still answer for the previous one, which is the same to nginx.
func (a *applier) spareReload(ctx context.Context, digest, previous string) error {
	a.disk.reach(atSkippedReload)
	answer, err := a.nginx.running(ctx)
	if err != nil {
		return err
	}
	if note := a.disk.readAlike(); answer != previous && note != (alike{Worker: answer, Tree: previous}) {
		return fmt.Errorf("workers answer %q now", answer)
	}
	b, err := json.Marshal(alike{Worker: answer, Tree: digest})
	if err != nil {
		return err
	}
	if err := writeFile(a.disk.alike(), b, nil); err != nil {
		return err
	}
	a.reloadsSpared++
	a.cfg.Log.Info("a bundle needs no reload: nginx reads it as it reads what it runs", "digest", digest, "workers_answer", answer)
	return nil
}

// sameToNginx compares two bundles by what nginx reads.
func sameToNginx(a, b *nginxconf.Tree) bool {
	return slices.EqualFunc(a.Files, b.Files, func(x, y nginxconf.File) bool {
		if x.Path != y.Path || x.Data == y.Data {
			return x.Path == y.Path
		}
		if x.Path == nginxconf.DigestFile { // the digest itself is what is being proven
			y.Data = strings.Replace(y.Data, b.Digest, a.Digest, 1)
		}
		old, err := nginxconf.Parse(x.Path, x.Data)
		if err != nil {
			return false // not configuration, such as a certificate: bytes count
		}
		fresh, err := nginxconf.Parse(y.Path, y.Data)
		return err == nil && sameDirectives(old.Directives, fresh.Directives)
	})
}

func sameDirectives(a, b []*nginxconf.Directive) bool {
	return slices.EqualFunc(a, b, func(x, y *nginxconf.Directive) bool {
		same := slices.EqualFunc(x.Words, y.Words, func(v, w nginxconf.Word) bool { return v.Raw == w.Raw })
		if !same || x.Block == nil || y.Block == nil {
			return same && x.Block == y.Block
		}
		return x.Block.IsLua == y.Block.IsLua && x.Block.Lua == y.Block.Lua && sameDirectives(x.Block.Directives, y.Block.Directives)
	})
}
