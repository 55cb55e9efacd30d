package etcd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// The pause before a prefix is read again after a failure: doubled from the first to the
// longest.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
)

// follower reads one prefix and watches it.
type follower struct {
	prefix string
	client *clientv3.Client
	answer time.Duration // how long one read may take
	// explain says what went wrong in words for people.
	explain func(ctx context.Context, doing string, endpoints []string, err error) error
	cancel  context.CancelFunc

	// The fields below belong to the loop in Source.Run.
	wants map[gateway.SetKey]bool
	known *content // nil until the prefix was read
}

// run follows the prefix until ctx ends. emit receives what it holds after each change;
// failed receives the reason when it cannot be followed, and nil when it can again.
func (f *follower) run(ctx context.Context, emit func(content), failed func(error)) {
	pause := firstPause
	for ctx.Err() == nil {
		err := f.follow(ctx, func(c content) {
			pause = firstPause
			failed(nil)
			emit(c)
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue // history was compacted: reading again at once is all it takes
		}
		failed(f.explain(ctx, fmt.Sprintf("follow prefix %q at", f.prefix), f.client.Endpoints(), err))
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, longestPause)
	}
}

// follow reads the prefix and then watches it from the revision of the read, so that no
// change can fall between the two. It returns nil when etcd has forgotten the revision
// that the watch has come to.
func (f *follower) follow(ctx context.Context, emit func(content)) error {
	reading, done := context.WithTimeout(ctx, f.answer)
	resp, err := f.client.Get(reading, f.prefix, clientv3.WithPrefix())
	done()
	if err != nil {
		return err
	}
	entries := make(table, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		entries.put(kv)
	}
	emit(entries.content())

	// A member that lost its leader would go on serving a silent watch: require one.
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	watch := f.client.Watch(ctx, f.prefix, clientv3.WithPrefix(), clientv3.WithRev(resp.Header.Revision+1))
	for {
		select {
		case <-ctx.Done(): // an embedded etcd that was closed leaves its watches open and silent
			return ctx.Err()
		case change, ok := <-watch:
			if !ok {
				return errors.New("the watch was closed")
			}
			if change.CompactRevision != 0 {
				return nil
			}
			if err := change.Err(); err != nil {
				return fmt.Errorf("watch: %w", err)
			}
			for _, e := range change.Events {
				if e.Type == clientv3.EventTypeDelete {
					delete(entries, string(e.Kv.Key))
				} else {
					entries.put(e.Kv)
				}
			}
			if len(change.Events) > 0 {
				emit(entries.content())
			}
		}
	}
}
