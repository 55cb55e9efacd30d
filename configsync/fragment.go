package configsync

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// fragments are the versions of each file that were part of a good tree, the newest first. Of
// each the one before is kept, too, for when a node refuses the newest.
type fragments map[string][]nginxconf.File

func (f fragments) newest(path string) *nginxconf.File {
	if list := f[path]; len(list) > 0 {
		return &list[0]
	}
	return nil
}

// add takes the files of a tree in, but for those that did not go out as rendered. What the
// tree has no place for is forgotten.
func (f fragments) add(tree *nginxconf.Tree, forms map[string]form) {
	for path := range f {
		if tree.File(path) == nil {
			delete(f, path)
		}
	}
	for _, file := range tree.Files {
		list := f[file.Path]
		if forms[file.Path] != asRendered || len(list) > 0 && list[0].Data == file.Data {
			continue
		}
		list = append([]nginxconf.File{file}, list...)
		f[file.Path] = list[:min(2, len(list))]
	}
}

// drop forgets a version that turned out not to be good.
func (f fragments) drop(path string, content [32]byte) {
	f[path] = slices.DeleteFunc(slices.Clone(f[path]), func(v nginxconf.File) bool { return sha256.Sum256([]byte(v.Data)) == content })
	if len(f[path]) == 0 {
		delete(f, path)
	}
}

// keeper writes the last good versions that are in use to a file, so that a restart of the
// control plane does not turn them into 503.
//
// mu guards kept, and is held while the file is written, so that the newest write is the last.
type keeper struct {
	path string // empty: nothing is written
	log  *slog.Logger

	mu   sync.Mutex
	kept map[stateKey][]keptFile
}

type keptFile struct {
	Path string `json:"path"`
	Data []byte `json:"data"`
}

// keptState is one entry of the file.
type keptState struct {
	Fleet string     `json:"fleet"`
	Facts string     `json:"facts"`
	Files []keptFile `json:"files"`
}

func newKeeper(path string, log *slog.Logger) *keeper {
	k := &keeper{path: path, log: log, kept: map[stateKey][]keptFile{}}
	if path == "" {
		return k
	}
	b, err := os.ReadFile(path)
	var list []keptState
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("the last good versions of quarantined files can't be read, so their hosts answer 503 until they are mended", "file", path, "error", err)
	}
	for _, s := range list {
		k.kept[stateKey{fleet: s.Fleet, facts: s.Facts}] = s.Files
	}
	return k
}

// load is what was kept for a kind of nodes.
func (k *keeper) load(key stateKey) fragments {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := fragments{}
	for _, file := range k.kept[key] {
		f[file.Path] = []nginxconf.File{{Path: file.Path, Data: string(file.Data)}}
	}
	return f
}

// save remembers the files of which the last good version is in use. The file is written in
// the background: the caller holds locks that nodes wait for.
func (k *keeper) save(key stateKey, forms map[string]form, good fragments) {
	var files []keptFile
	for path, f := range forms {
		if g := good.newest(path); f == lastGood && g != nil {
			files = append(files, keptFile{path, []byte(g.Data)})
		}
	}
	slices.SortFunc(files, func(a, b keptFile) int { return cmp.Compare(a.Path, b.Path) })
	same := func(a, b keptFile) bool { return a.Path == b.Path && string(a.Data) == string(b.Data) }
	if k.path == "" {
		return
	}
	go func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if slices.EqualFunc(files, k.kept[key], same) {
			return
		}
		if k.kept[key] = files; files == nil {
			delete(k.kept, key)
		}
		if err := k.write(); err != nil {
			k.log.Warn("the last good versions of quarantined files are not kept on disk, and would be lost with a restart", "file", k.path, "error", err)
		}
	}()
}

func (k *keeper) write() error {
	list := []keptState{}
	for key, files := range k.kept {
		list = append(list, keptState{Fleet: key.fleet, Facts: key.facts, Files: files})
	}
	b, err := json.Marshal(list)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(k.path), filepath.Base(k.path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), k.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", k.path, err), os.Remove(f.Name()))
	}
	return nil
}
