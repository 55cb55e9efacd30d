package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// Verb says what a write did to an object.
type Verb string

// The verbs of history and audit.
const (
	VerbCreate Verb = "create"
	VerbUpdate Verb = "update"
	VerbDelete Verb = "delete"
)

// Entry is one state in the history of an object.
type Entry struct {
	Revision int64          `json:"revision"`
	Time     time.Time      `json:"time"`
	Actor    string         `json:"actor"`
	Verb     Verb           `json:"verb"`
	Reason   string         `json:"reason,omitempty"`
	Object   gateway.Object `json:"object,omitempty"` // nil after a delete
}

// historyValue is what etcd holds; the revision is that of the key.
type historyValue struct {
	Time   time.Time `json:"time"`
	Actor  string    `json:"actor"`
	Verb   Verb      `json:"verb"`
	Reason string    `json:"reason,omitempty"`
	// Created is the object's createdRevision; 0 when this entry created it.
	Created int64           `json:"created,omitempty"`
	Object  json.RawMessage `json:"object,omitempty"`
}

// trimSlack is how many entries may come before the bound is looked after again. To count them with
// each write would take longer and longer: etcd goes through those that were trimmed, too, until it
// compacts.
const trimSlack = 50

// History returns the states of an object, newest first: at least the last
// Config.HistoryKeep of them. It outlives the object. [ErrNotFound] when there never was
// such an object.
func (s *Store) History(ctx context.Context, ref gateway.Ref) ([]Entry, error) {
	if err := checkRef(ref); err != nil {
		return nil, err
	}
	c, cancel := s.call(ctx)
	defer cancel()
	r, err := s.client.Get(c, historyOf(ref), clientv3.WithPrefix())
	if err != nil {
		return nil, failed(ctx, "read history of "+ref.String(), err)
	}
	if len(r.Kvs) == 0 {
		return nil, notFound(ref)
	}
	out := make([]Entry, 0, len(r.Kvs))
	for _, kv := range r.Kvs {
		e, err := entryOf(ref, kv)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// At returns the object as it was when the store was at revision. [ErrNotFound] when it did
// not exist then, or when that part of its history is gone.
func (s *Store) At(ctx context.Context, ref gateway.Ref, revision int64) (gateway.Object, error) {
	if err := checkRef(ref); err != nil {
		return nil, err
	}
	if revision < 1 {
		return nil, invalid("revision %d: revisions start at 1", revision)
	}
	c, cancel := s.call(ctx)
	defer cancel()
	// The key of an entry is at most its revision and above the revision of the one before
	// (see historyKey): the wanted entry is one of the first two keys from revision back.
	r, err := s.client.Get(c, historyOf(ref)+countdown(revision),
		clientv3.WithRange(clientv3.GetPrefixRangeEnd(historyOf(ref))), clientv3.WithLimit(2))
	if err != nil {
		return nil, failed(ctx, "read history of "+ref.String(), err)
	}
	for _, kv := range r.Kvs {
		if kv.ModRevision > revision {
			continue
		}
		e, err := entryOf(ref, kv)
		if err != nil {
			return nil, err
		}
		if e.Object == nil {
			return nil, fmt.Errorf("%w: it was deleted at revision %d", notFound(ref), e.Revision)
		}
		return e.Object, nil
	}
	return nil, fmt.Errorf("%w: no state is known at revision %d", notFound(ref), revision)
}

func entryOf(ref gateway.Ref, kv *mvccpb.KeyValue) (Entry, error) {
	var v historyValue
	if err := json.Unmarshal(kv.Value, &v); err != nil {
		return Entry{}, fmt.Errorf("read history of %s at revision %d: %w", ref, kv.ModRevision, err)
	}
	e := Entry{Revision: kv.ModRevision, Time: v.Time, Actor: v.Actor, Verb: v.Verb, Reason: v.Reason}
	if len(v.Object) == 0 {
		return e, nil
	}
	var err error
	e.Object, err = decode(ref, v.Object, cmp.Or(v.Created, kv.ModRevision), kv.ModRevision)
	return e, err
}

// trims says whether the object's history may be longer than its bound after the change. What is
// deleted is counted anew when it is created again.
func (st *step) trims() bool { return st.verb == VerbDelete || (st.version+1)%trimSlack == 0 }

// trim deletes the oldest keys of a prefix, those at its end, down to keep. A failure costs nothing
// but space: a later write tries again.
func (s *Store) trim(ctx context.Context, prefix string, keep int) {
	c, cancel := s.call(ctx)
	defer cancel()
	r, err := s.client.Get(c, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(int64(keep)+1))
	if err == nil && len(r.Kvs) > keep {
		_, err = s.client.Delete(c, string(r.Kvs[keep].Key), clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix)))
	}
	if err != nil {
		s.log.Warn("store: old entries could not be trimmed; a later write tries again", "prefix", prefix, "error", err)
	}
}
