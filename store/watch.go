package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// Update is one step of what a watch sees: everything that one or more writes changed. The
// changes of one Apply are never spread over two updates.
type Update struct {
	// Revision of the store after this update. Watch continues from it.
	Revision int64
	// Resync means that Changes is the whole set of objects: whatever is not in it is gone.
	// It comes first when a watch starts from 0, and whenever changes may have been missed.
	Resync  bool
	Changes []Changed
}

// Changed is an object that was written or deleted.
type Changed struct {
	Ref gateway.Ref
	// Object as it is now; nil: it was deleted.
	Object gateway.Object
	// Revision of the write.
	Revision int64
}

const (
	watchRetryMin = 50 * time.Millisecond
	watchRetryMax = 2 * time.Second
	// lookEvery is how often a cluster is asked whether it has gone back in time: the client hides
	// a restart, and a watch that waits for a revision in the future is as silent as a quiet one.
	lookEvery = 5 * time.Second
)

// Watch calls handle for all changes after a revision, in order; from 0, for the whole set
// first. It goes on through restarts and elections of etcd. When etcd no longer has the
// revisions in between (compacted, or restored from a backup), it lists everything and
// says so by Update.Resync, so the caller never misses a change nor keeps a ghost.
//
// It returns nil when ctx ends, and [ErrClosed] when the store is closed. The next update
// waits until handle has returned.
func (s *Store) Watch(ctx context.Context, after int64, handle func(Update)) error {
	w := &watch{store: s, at: after, handle: handle}
	pause := watchRetryMin
	for {
		progress, err := w.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if closed := s.gate.err(); closed != nil {
			return closed
		}
		if errors.Is(err, errResync) {
			s.log.Info("store: watch lists everything again", "revision", w.at, "reason", err)
			w.at = 0
			continue
		}
		if progress {
			pause = watchRetryMin
		}
		s.log.Warn("store: watch interrupted; it continues from the last revision", "revision", w.at, "retryIn", pause, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-s.gate.long.Done():
			return s.gate.err()
		case <-time.After(pause):
		}
		pause = min(2*pause, watchRetryMax)
	}
}

// watch is the state of one call of Watch.
type watch struct {
	store   *Store
	at      int64  // the caller has seen everything up to this revision; 0: nothing
	cluster uint64 // whose revision that is; 0: not known yet
	handle  func(Update)
}

var (
	errResync   = errors.New("revisions are gone")
	errWentBack = errors.New("the store has gone back in time: was it restored?")
)

// once follows one stream until it breaks, and tells whether it got anywhere.
func (w *watch) once(ctx context.Context) (progress bool, err error) {
	if w.at == 0 {
		if err := w.resync(ctx); err != nil {
			return false, err
		}
		progress = true
	}
	// A member that has lost its leader ends the stream, and the client goes to another.
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	stream := w.store.client.Watch(ctx, objectsPrefix, clientv3.WithPrefix(), clientv3.WithRev(w.at+1),
		clientv3.WithProgressNotify(), clientv3.WithCreatedNotify())
	look, stop := w.store.looks()
	defer stop()
	for {
		// The stream says something; it is time to look whether etcd is the one that it was.
		select {
		case r, ok := <-stream:
			if !ok {
				return progress, errors.New("etcd ended the watch")
			}
			if err := w.receive(ctx, r); err != nil {
				return progress, err
			}
			progress = true
		case <-look:
			if err := w.wentBack(ctx); errors.Is(err, errResync) {
				return progress, err
			}
		}
	}
}

// looks ticks when it is time for a look. The embedded etcd can not be restored while it runs.
func (s *Store) looks() (look <-chan time.Time, stop func()) {
	if s.cfg.Etcd == nil {
		return nil, func() {}
	}
	t := time.NewTicker(lookEvery)
	return t.C, t.Stop
}

// receive hands on one response.
func (w *watch) receive(ctx context.Context, r clientv3.WatchResponse) error {
	if r.CompactRevision > 0 {
		return fmt.Errorf("%w: compacted at revision %d", errResync, r.CompactRevision)
	}
	if err := r.Err(); err != nil {
		return err
	}
	if r.Header.Revision < w.at {
		return w.wentBack(ctx)
	}
	if r.IsProgressNotify() {
		w.at = r.Header.Revision // a compaction up to here loses nothing
		return nil
	}
	if len(r.Events) == 0 {
		return nil // created
	}
	u := Update{Changes: make([]Changed, 0, len(r.Events))}
	for _, e := range r.Events {
		u.Revision = max(u.Revision, e.Kv.ModRevision)
		if c, ok := w.changed(e); ok {
			u.Changes = append(u.Changes, c)
		}
	}
	w.at = u.Revision
	if len(u.Changes) > 0 {
		w.handle(u)
	}
	return nil
}

func (w *watch) changed(e *clientv3.Event) (Changed, bool) {
	if e.Type == mvccpb.Event_DELETE {
		ref, ok := refOf(e.Kv.Key)
		return Changed{Ref: ref, Revision: e.Kv.ModRevision}, ok
	}
	obj := w.store.readable(e.Kv)
	if obj == nil {
		return Changed{}, false // the last good state stays
	}
	return Changed{Ref: obj.Head().Ref(), Object: obj, Revision: e.Kv.ModRevision}, true
}

// wentBack looks whether the store really is behind the revision that was seen, after a
// restore from a backup, or only the member that answered lags.
func (w *watch) wentBack(ctx context.Context) error {
	c, cancel := w.store.call(ctx)
	defer cancel()
	r, err := w.store.client.Get(c, objectsPrefix, clientv3.WithLimit(1), clientv3.WithKeysOnly())
	if err != nil {
		return failed(ctx, "read revision", err)
	}
	was := cmp.Or(w.cluster, r.Header.ClusterId)
	w.cluster = r.Header.ClusterId
	switch {
	case w.cluster != was:
		return fmt.Errorf("%w: the store is another cluster than before: was it restored?", errResync)
	case r.Header.Revision < w.at:
		return fmt.Errorf("%w: the store is at revision %d, before %d: was it restored?", errResync, r.Header.Revision, w.at)
	}
	return nil
}

// resync lists everything and hands it on as one update.
func (w *watch) resync(ctx context.Context) error {
	objects, revision, err := w.store.List(ctx, "", "")
	if err != nil {
		return err
	}
	u := Update{Revision: revision, Resync: true, Changes: make([]Changed, len(objects))}
	for i, obj := range objects {
		u.Changes[i] = Changed{Ref: obj.Head().Ref(), Object: obj, Revision: obj.Head().Revision}
	}
	w.at = revision
	w.handle(u)
	return nil
}
