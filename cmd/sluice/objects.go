package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/manifest"
	"github.com/sluice-gateway/sluice/store"
)

// objectsActor is who writes what stands in files, followed by a colon and whose files these
// are. It stands alone on objects that were created before owners had names.
const objectsActor = "objects"

// applyChunk is how many objects one transaction holds. The embedded etcd keeps its last 100
// transactions or more in memory, so larger ones cost memory for good.
const applyChunk = 32

// objectFiles keeps the store equal to files and folders: the files win at start and
// whenever they change.
type objectFiles struct {
	paths []string
	store *store.Store
	log   *slog.Logger
	// owner names the set of files among those of all nodes of a store: objects that it created
	// are deleted when they leave the files, and nobody else's.
	owner string
	// alone: the store is this node's, so that all that files created came from its files.
	alone bool
	// applied is the stamp of the files that were read last; "" when they are to be read again.
	// It belongs to the start, and then to Run.
	applied string

	mu      sync.Mutex
	code    string // of problem; guarded by mu
	problem string // what is wrong with the files now; guarded by mu
}

// apply puts what stands in the files into the store.
func (o *objectFiles) apply(ctx context.Context) error {
	o.applied = o.stamp() // before they are read: what changes meanwhile is news
	err := o.write(ctx)
	var unread *fs.PathError // no permission, or too many open files: no stamp tells when that is over
	if errors.Is(err, gateway.ErrUnavailable) || errors.As(err, &unread) {
		o.applied = ""
	}
	return err
}

// write reads all files and writes what differs. Nothing is written when one of them can't
// be read: half of a change may be worse than none.
func (o *objectFiles) write(ctx context.Context) error {
	items, err := manifest.ReadPaths(nil, o.paths...)
	if err != nil {
		return fmt.Errorf("objects: nothing was applied:\n%w", err)
	}
	have, _, err := o.store.List(ctx, "", "")
	if err != nil {
		return fmt.Errorf("objects: %w", err)
	}
	named := map[gateway.Ref]bool{}
	var changes []gateway.Change
	for _, i := range items {
		ref := i.Object.Head().Ref()
		named[ref] = true
		changes = append(changes, gateway.Change{Ref: ref, Object: i.Object})
	}
	for _, h := range slices.Backward(have) {
		if m := h.Head(); o.owns(m.CreatedBy) && !named[m.Ref()] {
			changes = append(changes, gateway.Change{Ref: m.Ref()})
		}
	}
	for part := range slices.Chunk(changes, min(applyChunk, o.store.MaxChanges())) {
		if _, err := o.store.Apply(ctx, part, store.Write{Actor: o.actor(), Reason: strings.Join(o.paths, ", ")}); err != nil {
			return fmt.Errorf("objects: %w", err)
		}
	}
	return nil
}

// actor is who writes what stands in these files.
func (o *objectFiles) actor() string { return objectsActor + ":" + o.owner }

// owns says whether an object that creator created came from these files. On a store that
// several nodes have, one whose creator has no name is nobody's: it may be another node's.
func (o *objectFiles) owns(creator string) bool {
	return creator == o.actor() || o.alone && (creator == objectsActor || strings.HasPrefix(creator, objectsActor+":"))
}

// restless is how long files may go on changing before somebody is told. They are not applied
// meanwhile: what is half written may be whole to a parser, and lack objects.
const restless = 10 * time.Second

// Run looks for changed files once a second (which sees every kind of change, symlinks and
// network file systems included) and applies them when they have stopped changing.
func (o *objectFiles) Run(ctx context.Context) error {
	seen, since := o.applied, time.Time{} // when they began to change
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := o.stamp()
		switch {
		case now != seen:
			if since.IsZero() {
				since = time.Now()
			}
			if seen = now; time.Since(since) > restless {
				o.note(errRestless)
			}
			continue
		case now == o.applied && since.IsZero():
			continue
		}
		since = time.Time{}
		err := o.apply(ctx)
		if err == nil {
			o.log.Info("objects applied", "paths", o.paths)
		}
		o.note(err)
	}
}

// stamp changes whenever a file does.
func (o *objectFiles) stamp() string {
	var b strings.Builder
	for _, p := range o.paths {
		files, err := manifest.Files(p)
		if err != nil {
			fmt.Fprintln(&b, err)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				fmt.Fprintln(&b, f, info.ModTime().UnixNano(), info.Size())
			}
		}
	}
	return b.String()
}

var errRestless = fmt.Errorf("the files have been changing for more than %s without a second's rest, and are applied when they rest: find out who writes them", restless)

func (o *objectFiles) note(err error) {
	code, text := "", ""
	if err != nil {
		code, text = "files_invalid", err.Error()
	}
	if errors.Is(err, errRestless) {
		code = "files_changing"
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil && text != o.problem {
		o.log.Error("objects not applied: the ones from before stay in force", "err", err)
	}
	o.code, o.problem = code, text
}

// Problems tells what is wrong with the files.
func (o *objectFiles) Problems() []gateway.Problem {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.problem == "" {
		return nil
	}
	return []gateway.Problem{{Object: gateway.Ref{Kind: "Files", Name: strings.Join(o.paths, ", ")}, Code: o.code, Message: o.problem, Source: "objects"}}
}
