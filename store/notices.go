package store

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// noticeTTL is how many seconds after the last sign of life of its process a notice lapses.
const noticeTTL = 10

// Notices are small values that processes show each other, one each, for as long as they
// live, such as the verdicts of an edge. They are no objects: they have neither history nor
// audit.
type Notices struct {
	store  *Store
	prefix string
}

// Notices returns the notices of that name.
func (s *Store) Notices(name string) *Notices { return &Notices{s, noticesPrefix + name + "/"} }

// Post keeps the newest of values under the key, and takes it away when ctx ends. When the
// process ends in another way, it lapses with its lease. Post goes on through restarts of
// etcd, and returns like [Store.Watch].
func (n *Notices) Post(ctx context.Context, key string, values <-chan []byte) error {
	var value []byte
	for pause := watchRetryMin; ; pause = min(2*pause, watchRetryMax) {
		posted, err := n.post(ctx, key, &value, values)
		if ctx.Err() != nil {
			return nil
		}
		if closed := n.store.gate.err(); closed != nil {
			return closed
		}
		if posted {
			pause = watchRetryMin
		}
		n.store.log.Warn("store: a notice is not shown; it is written again", "key", n.prefix+key, "retryIn", pause, "error", err)
		if err := n.store.rest(ctx, pause); err != nil {
			return err
		}
	}
}

// rest waits for so long. Its error is [ErrClosed].
func (s *Store) rest(ctx context.Context, pause time.Duration) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.gate.long.Done():
		return s.gate.err()
	case <-time.After(pause):
		return nil
	}
}

// post shows values under one lease until that is lost.
func (n *Notices) post(ctx context.Context, key string, value *[]byte, values <-chan []byte) (posted bool, err error) {
	c, cancel := n.store.call(ctx)
	lease, err := n.store.client.Grant(c, noticeTTL)
	cancel()
	if err != nil {
		return false, failed(ctx, "take a lease for "+n.prefix+key, err)
	}
	defer func() {
		c, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _ = n.store.client.Revoke(c, lease.ID) // or it lapses by itself
	}()
	alive, err := n.store.client.KeepAlive(ctx, lease.ID)
	if err != nil {
		return false, failed(ctx, "keep the lease for "+n.prefix+key, err)
	}
	for {
		if *value != nil {
			c, cancel := n.store.call(ctx)
			_, err := n.store.client.Put(c, n.prefix+key, string(*value), clientv3.WithLease(lease.ID))
			cancel()
			if err != nil {
				return posted, failed(ctx, "write "+n.prefix+key, err)
			}
			posted = true
		}
		// The context ends; the store closes; a new value; a sign of life of the lease.
		for next := false; !next; {
			select {
			case <-ctx.Done():
				return posted, nil
			case <-n.store.gate.long.Done():
				return posted, n.store.gate.err()
			case *value = <-values:
				next = true
			case _, ok := <-alive:
				if !ok {
					return posted, errors.New("the lease was lost")
				}
			}
		}
	}
}

// Watch calls handle with all notices by key, and again after each change; with nil when they
// are not known any more, since etcd has been out of reach for as long as a lease lasts. The
// map is the receiver's. It goes on through restarts of etcd, and returns like [Store.Watch].
func (n *Notices) Watch(ctx context.Context, handle func(map[string][]byte)) error {
	pause, heard, known := watchRetryMin, time.Now(), false
	for {
		last, err := n.once(ctx, func(all map[string][]byte) {
			known = true
			handle(all)
		})
		if ctx.Err() != nil {
			return nil
		}
		if closed := n.store.gate.err(); closed != nil {
			return closed
		}
		if !last.IsZero() {
			pause, heard = watchRetryMin, last
		}
		if known && time.Since(heard) > noticeTTL*time.Second {
			known = false
			handle(nil)
		}
		n.store.log.Warn("store: watch interrupted; it reads again", "key", n.prefix, "retryIn", pause, "error", err)
		if err := n.store.rest(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, watchRetryMax)
	}
}

// once reads all notices and follows one stream until it breaks, or until etcd does not answer
// any more, which the stream does not say. It returns when etcd answered last, or zero.
func (n *Notices) once(ctx context.Context, handle func(map[string][]byte)) (heard time.Time, err error) {
	c, cancel := n.store.call(ctx)
	r, err := n.store.client.Get(c, n.prefix, clientv3.WithPrefix())
	cancel()
	if err != nil {
		return heard, failed(ctx, "read "+n.prefix, err)
	}
	heard = time.Now()
	all := map[string][]byte{}
	for _, kv := range r.Kvs {
		all[strings.TrimPrefix(string(kv.Key), n.prefix)] = kv.Value
	}
	handle(maps.Clone(all))
	ctx, cancel = context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	at := r.Header.Revision
	changes := n.store.client.Watch(ctx, n.prefix, clientv3.WithPrefix(), clientv3.WithRev(at+1))
	ask := time.NewTicker(noticeTTL * time.Second / 4)
	defer ask.Stop()
	for {
		// The stream says something; it is time to ask whether etcd still answers.
		select {
		case w, ok := <-changes:
			if err := w.Err(); !ok || err != nil {
				return heard, cmp.Or(err, errors.New("etcd ended the watch"))
			}
			at = max(at, w.Header.Revision)
			n.apply(all, w.Events)
			handle(maps.Clone(all))
		case <-ask.C:
			c, cancel := n.store.call(ctx)
			now, err := n.store.client.Get(c, n.prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
			cancel()
			if err != nil {
				return heard, failed(ctx, "read "+n.prefix, err)
			}
			if now.Header.Revision < at {
				return heard, errWentBack
			}
			at = now.Header.Revision
		}
		heard = time.Now()
	}
}

func (n *Notices) apply(all map[string][]byte, events []*clientv3.Event) {
	for _, e := range events {
		key := strings.TrimPrefix(string(e.Kv.Key), n.prefix)
		if e.Type == mvccpb.Event_DELETE {
			delete(all, key)
		} else {
			all[key] = e.Kv.Value
		}
	}
}
