package agent

import (
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long the files have to be quiet before they are looked at, so that an edit
// in several writes is seen once.
const settle = 200 * time.Millisecond

// watcher tells when files in some folders change. Folders are watched rather than files:
// editors replace files, and the tree is a symlink.
type watcher struct {
	notify *fsnotify.Watcher
	log    *slog.Logger
	out    chan struct{}

	mu      sync.Mutex
	written map[string]bool // files that were written to in their places; guarded by mu
}

func newWatcher(log *slog.Logger) (*watcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return &watcher{notify: n, log: log, out: make(chan struct{}, 1)}, nil
}

// follow replaces the set of watched folders. One that can't be watched is left to the
// periodic sweep.
func (w *watcher) follow(dirs map[string]bool) {
	for _, old := range w.notify.WatchList() {
		if !dirs[old] {
			_ = w.notify.Remove(old) // it may be gone
		}
	}
	for dir := range dirs {
		if err := w.notify.Add(dir); err != nil {
			w.log.Debug("watch a folder", "folder", dir, "error", err)
		}
	}
}

// run blocks until ctx ends.
func (w *watcher) run(ctx context.Context) {
	defer func() { _ = w.notify.Close() }()
	quiet := time.NewTimer(time.Hour)
	defer quiet.Stop()
	for {
		// ctx ends; a file changes; a watch fails; nothing has changed for a moment.
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.notify.Events:
			if !ok {
				return
			}
			if !strings.HasPrefix(filepath.Base(e.Name), ".") {
				w.note(e)
				quiet.Reset(settle)
			}
		case err, ok := <-w.notify.Errors:
			if !ok {
				return
			}
			w.log.Debug("a file event was lost; the sweep finds it", "error", err)
		case <-quiet.C:
			select {
			case w.out <- struct{}{}:
			default:
			}
		}
	}
}

// note takes note of a file that somebody writes to. What is replaced is another file.
func (w *watcher) note(e fsnotify.Event) {
	if !e.Has(fsnotify.Write) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.written == nil {
		w.written = map[string]bool{}
	}
	w.written[e.Name] = true
}

// takeWritten names those files since the last call.
func (w *watcher) takeWritten() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	paths := slices.Collect(maps.Keys(w.written))
	w.written = nil
	return paths
}

// folders are those of all loaded files, and the tree's as it is reached now.
func folders(files []loadedFile, d disk) map[string]bool {
	dirs, seen := map[string]bool{d.root: true}, map[string]bool{}
	for _, f := range files {
		dir := filepath.Dir(f.path)
		if seen[dir] {
			continue
		}
		seen[dir] = true
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dirs[real] = true
		}
	}
	if current := d.current(); current != "" {
		dirs[d.tree(current)] = true
	}
	return dirs
}
