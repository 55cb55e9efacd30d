package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// liarKV does what an etcd at its quota may do: it does the transaction and answers that
// there is no space, as often as it has lies left.
type liarKV struct {
	clientv3.KV
	lies int
}

type liarTxn struct {
	clientv3.Txn
	kv *liarKV
}

func (k *liarKV) Txn(ctx context.Context) clientv3.Txn { return &liarTxn{k.KV.Txn(ctx), k} }

func (t *liarTxn) If(cs ...clientv3.Cmp) clientv3.Txn   { t.Txn = t.Txn.If(cs...); return t }
func (t *liarTxn) Then(ops ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Then(ops...); return t }

// Else is what only writes have.
func (t *liarTxn) Else(ops ...clientv3.Op) clientv3.Txn {
	t.Txn = t.Txn.Else(ops...)
	return &liarWrite{t.Txn, t.kv}
}

type liarWrite struct {
	clientv3.Txn
	kv *liarKV
}

func (t *liarWrite) Commit() (*clientv3.TxnResponse, error) {
	r, err := t.Txn.Commit()
	if err == nil && t.kv.lies > 0 {
		t.kv.lies--
		return nil, rpctypes.ErrNoSpace
	}
	return r, err
}

// A write that was done although etcd said otherwise is a success: not a conflict with
// itself, not a delete of nothing.
func TestWriteDoneInSpiteOfNoSpace(t *testing.T) {
	s, err := Open(t.Context(), Config{DataDir: t.TempDir(), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	kv := &liarKV{KV: s.client.KV}
	s.client.KV = kv
	obj := &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}}
	var revision int64
	for _, lies := range []int{1, 2} { // the retry lies as well
		kv.lies = lies
		out, err := s.Put(t.Context(), obj, Write{Actor: "alice", IfRevision: new(int64)})
		if err != nil {
			t.Fatalf("create with %d lies: %v", lies, err)
		}
		revision = out.Head().Revision
		kv.lies = lies
		if err := s.Delete(t.Context(), obj.Ref(), Write{Actor: "alice", IfRevision: &revision}); err != nil {
			t.Errorf("delete with %d lies: %v", lies, err)
		}
	}
	h, err := s.History(t.Context(), obj.Ref())
	if err != nil || len(h) != 4 || h[1].Revision != revision {
		t.Errorf("history %+v, %v; want four entries, each write once", h, err)
	}
	if a, err := s.Audit(t.Context(), time.Time{}, 0); err != nil || len(a) != 4 {
		t.Errorf("%d audit records, %v; want 4", len(a), err)
	}
	if _, err := s.Get(t.Context(), obj.Ref()); !errors.Is(err, ErrNotFound) {
		t.Errorf("get after delete: %v", err)
	}
}
