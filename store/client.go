package store

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// gateClient puts every call of the client behind the gate, those of other packages and
// of etcd's concurrency recipes included.
func gateClient(c *clientv3.Client, g *gate) *clientv3.Client {
	c.KV = &gatedKV{kv: c.KV, gate: g}
	c.Watcher = &gatedWatcher{Watcher: c.Watcher, gate: g}
	c.Lease = &gatedLease{Lease: c.Lease, gate: g}
	return c
}

type gatedKV struct {
	kv   clientv3.KV
	gate *gate
}

func (k *gatedKV) Put(ctx context.Context, key, val string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	return through(ctx, k.gate, func(ctx context.Context) (*clientv3.PutResponse, error) { return k.kv.Put(ctx, key, val, opts...) })
}

func (k *gatedKV) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	return through(ctx, k.gate, func(ctx context.Context) (*clientv3.GetResponse, error) { return k.kv.Get(ctx, key, opts...) })
}

func (k *gatedKV) GetStream(ctx context.Context, key string, opts ...clientv3.OpOption) (clientv3.GetStreamChan, error) {
	_, leave, err := k.gate.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return k.kv.GetStream(k.gate.follow(ctx), key, opts...)
}

func (k *gatedKV) Delete(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	return through(ctx, k.gate, func(ctx context.Context) (*clientv3.DeleteResponse, error) { return k.kv.Delete(ctx, key, opts...) })
}

func (k *gatedKV) Compact(ctx context.Context, rev int64, opts ...clientv3.CompactOption) (*clientv3.CompactResponse, error) {
	return through(ctx, k.gate, func(ctx context.Context) (*clientv3.CompactResponse, error) { return k.kv.Compact(ctx, rev, opts...) })
}

func (k *gatedKV) Do(ctx context.Context, op clientv3.Op) (clientv3.OpResponse, error) {
	return through(ctx, k.gate, func(ctx context.Context) (clientv3.OpResponse, error) { return k.kv.Do(ctx, op) })
}

func (k *gatedKV) Txn(ctx context.Context) clientv3.Txn {
	return &gatedTxn{ctx: ctx, kv: k.kv, gate: k.gate}
}

// gatedTxn builds the transaction only inside the gate, since its context is fixed at
// the beginning.
type gatedTxn struct {
	ctx  context.Context
	kv   clientv3.KV
	gate *gate

	ifs         []clientv3.Cmp
	thens, alts []clientv3.Op
}

func (t *gatedTxn) If(cs ...clientv3.Cmp) clientv3.Txn {
	t.ifs = append(t.ifs, cs...)
	return t
}

func (t *gatedTxn) Then(ops ...clientv3.Op) clientv3.Txn {
	t.thens = append(t.thens, ops...)
	return t
}

func (t *gatedTxn) Else(ops ...clientv3.Op) clientv3.Txn {
	t.alts = append(t.alts, ops...)
	return t
}

func (t *gatedTxn) Commit() (*clientv3.TxnResponse, error) {
	return through(t.ctx, t.gate, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return t.kv.Txn(ctx).If(t.ifs...).Then(t.thens...).Else(t.alts...).Commit()
	})
}

type gatedWatcher struct {
	clientv3.Watcher
	gate *gate
}

// Watch returns a channel that is closed when the store is, unlike that of the embedded
// etcd.
func (w *gatedWatcher) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	_, leave, err := w.gate.enter(ctx)
	if err != nil {
		closed := make(chan clientv3.WatchResponse)
		close(closed)
		return closed
	}
	defer leave() // opening is inside; the stream ends through follow
	return w.Watcher.Watch(w.gate.follow(ctx), key, opts...)
}

type gatedLease struct {
	clientv3.Lease
	gate *gate
}

func (l *gatedLease) Grant(ctx context.Context, ttl int64) (*clientv3.LeaseGrantResponse, error) {
	return through(ctx, l.gate, func(ctx context.Context) (*clientv3.LeaseGrantResponse, error) { return l.Lease.Grant(ctx, ttl) })
}

func (l *gatedLease) Revoke(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseRevokeResponse, error) {
	return through(ctx, l.gate, func(ctx context.Context) (*clientv3.LeaseRevokeResponse, error) { return l.Lease.Revoke(ctx, id) })
}

func (l *gatedLease) TimeToLive(ctx context.Context, id clientv3.LeaseID, opts ...clientv3.LeaseOption) (*clientv3.LeaseTimeToLiveResponse, error) {
	return through(ctx, l.gate, func(ctx context.Context) (*clientv3.LeaseTimeToLiveResponse, error) {
		return l.Lease.TimeToLive(ctx, id, opts...)
	})
}

func (l *gatedLease) Leases(ctx context.Context) (*clientv3.LeaseLeasesResponse, error) {
	return through(ctx, l.gate, l.Lease.Leases)
}

func (l *gatedLease) KeepAlive(ctx context.Context, id clientv3.LeaseID) (<-chan *clientv3.LeaseKeepAliveResponse, error) {
	_, leave, err := l.gate.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return l.Lease.KeepAlive(l.gate.follow(ctx), id)
}

func (l *gatedLease) KeepAliveOnce(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	return through(ctx, l.gate, func(ctx context.Context) (*clientv3.LeaseKeepAliveResponse, error) {
		return l.Lease.KeepAliveOnce(ctx, id)
	})
}
