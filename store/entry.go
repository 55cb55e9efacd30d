package store

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Get reads one entry and its revision; nil and 0: there is none.
func (l *Ledger) Get(ctx context.Context, entry string) (value []byte, revision int64, err error) {
	c, cancel := l.store.call(ctx)
	defer cancel()
	r, err := l.store.client.Get(c, l.prefix+entry)
	if err != nil {
		return nil, 0, failed(ctx, "read "+l.prefix+entry, err)
	}
	if len(r.Kvs) == 0 {
		return nil, 0, nil
	}
	return r.Kvs[0].Value, r.Kvs[0].ModRevision, nil
}

// Swap writes an entry when the present one has that revision (0: there is none), and says
// whether it did.
func (l *Ledger) Swap(ctx context.Context, entry string, value []byte, revision int64) (bool, error) {
	c, cancel := l.store.call(ctx)
	defer cancel()
	key := l.prefix + entry
	r, err := l.store.client.Txn(c).If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).Then(clientv3.OpPut(key, string(value))).Commit()
	if err != nil {
		return false, failed(ctx, "swap "+key, err)
	}
	return r.Succeeded, nil
}
