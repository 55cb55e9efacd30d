package store

import (
	"context"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Ledger is small values by name that outlive the process that wrote them, such as the names
// that were announced. They are no objects: they have neither history nor audit.
type Ledger struct {
	store  *Store
	prefix string
}

// Ledger returns the ledger of that name.
func (s *Store) Ledger(name string) *Ledger { return &Ledger{s, ledgerPrefix + name + "/"} }

// ledgerPage is how many entries are read at a time, so that no answer is too large.
const ledgerPage = 1000

// Entries reads them all, of one revision.
func (l *Ledger) Entries(ctx context.Context) (map[string][]byte, error) {
	out := map[string][]byte{}
	revision := int64(0)
	for from, end := l.prefix, clientv3.GetPrefixRangeEnd(l.prefix); ; {
		c, cancel := l.store.call(ctx)
		r, err := l.store.client.Get(c, from, clientv3.WithRange(end), clientv3.WithLimit(ledgerPage), clientv3.WithRev(revision))
		cancel()
		if err != nil {
			return nil, failed(ctx, "read "+l.prefix, err)
		}
		for _, kv := range r.Kvs {
			out[strings.TrimPrefix(string(kv.Key), l.prefix)] = kv.Value
		}
		if !r.More {
			return out, nil
		}
		revision = r.Header.Revision
		from = string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
	}
}

// Put writes an entry.
func (l *Ledger) Put(ctx context.Context, entry string, value []byte) error {
	c, cancel := l.store.call(ctx)
	defer cancel()
	if _, err := l.store.client.Put(c, l.prefix+entry, string(value)); err != nil {
		return failed(ctx, "write "+l.prefix+entry, err)
	}
	return nil
}

// Delete removes an entry, if there is one.
func (l *Ledger) Delete(ctx context.Context, entry string) error {
	c, cancel := l.store.call(ctx)
	defer cancel()
	if _, err := l.store.client.Delete(c, l.prefix+entry); err != nil {
		return failed(ctx, "delete "+l.prefix+entry, err)
	}
	return nil
}
