package store

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Shared is a small value that the nodes on one store share, such as the keys of session
// tickets. It is no object: it has neither history nor audit, and nobody is shown it.
type Shared struct {
	store *Store
	key   string
}

// Shared returns the value of that name.
func (s *Store) Shared(name string) *Shared { return &Shared{s, sharedPrefix + name} }

// Swap writes value when the present one has that revision (0: there is none), and says
// whether it did.
func (v *Shared) Swap(ctx context.Context, value []byte, revision int64) (bool, error) {
	c, cancel := v.store.call(ctx)
	defer cancel()
	r, err := v.store.client.Txn(c).If(clientv3.Compare(clientv3.ModRevision(v.key), "=", revision)).Then(clientv3.OpPut(v.key, string(value))).Commit()
	if err != nil {
		return false, failed(ctx, "swap "+v.key, err)
	}
	return r.Succeeded, nil
}

// Watch calls handle with the value and its revision (nil and 0: there is none), and then
// with each new one. It goes on through restarts of etcd, and returns like [Store.Watch].
func (v *Shared) Watch(ctx context.Context, handle func(value []byte, revision int64)) error {
	pause := watchRetryMin
	for {
		progress, err := v.once(ctx, handle)
		if ctx.Err() != nil {
			return nil
		}
		if closed := v.store.gate.err(); closed != nil {
			return closed
		}
		if progress {
			pause = watchRetryMin
		}
		v.store.log.Warn("store: watch interrupted; it reads again", "key", v.key, "retryIn", pause, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-v.store.gate.long.Done():
			return v.store.gate.err()
		case <-time.After(pause):
		}
		pause = min(2*pause, watchRetryMax)
	}
}

// once reads the value and follows one stream until it breaks.
func (v *Shared) once(ctx context.Context, handle func([]byte, int64)) (progress bool, err error) {
	c, cancel := v.store.call(ctx)
	r, err := v.store.client.Get(c, v.key)
	cancel()
	if err != nil {
		return false, failed(ctx, "read "+v.key, err)
	}
	if len(r.Kvs) == 0 {
		handle(nil, 0)
	} else {
		handle(r.Kvs[0].Value, r.Kvs[0].ModRevision)
	}
	ctx, cancel = context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	changes := v.store.client.Watch(ctx, v.key, clientv3.WithRev(r.Header.Revision+1))
	look, stop := v.store.looks()
	defer stop()
	at := r.Header.Revision
	for {
		// The stream says something; it is time to look whether etcd has gone back in time.
		select {
		case w, ok := <-changes:
			if err := w.Err(); !ok || err != nil {
				return true, cmp.Or(err, errors.New("etcd ended the watch"))
			}
			at = max(at, w.Header.Revision)
			for _, e := range w.Events {
				if e.Type == mvccpb.Event_DELETE {
					handle(nil, 0)
				} else {
					handle(e.Kv.Value, e.Kv.ModRevision)
				}
			}
		case <-look:
			c, cancel := v.store.call(ctx)
			now, err := v.store.client.Get(c, v.key, clientv3.WithCountOnly())
			cancel()
			switch {
			case err != nil: // the stream goes on when etcd does
			case now.Header.Revision < at:
				return true, errWentBack
			default:
				at = now.Header.Revision
			}
		}
	}
}
