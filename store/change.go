package store

import (
	"bytes"
	"encoding/json"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// Write says who writes and why.
type Write struct {
	// Actor is who it was, such as "alice" or "objects:examples/quickstart". Required.
	Actor string
	// Reason is a sentence for the history and the audit, such as "OPS-1234". Optional.
	Reason string
	// IfRevision makes a Put or Delete conditional: the object must be at this revision; 0:
	// it must not exist. Nil writes in any case. In Apply, each change has its own.
	IfRevision *int64
}

// refOfChange names the object that a change is about.
func refOfChange(c gateway.Change) gateway.Ref {
	if c.Object != nil {
		return c.Object.Head().Ref()
	}
	return c.Ref
}

// step is a checked change, with the object as it is stored now.
type step struct {
	ref        gateway.Ref
	put        gateway.Object // a copy of the caller's, without server-set fields; nil: delete
	ifRevision *int64

	now      gateway.Object // nil: there is none, or it cannot be read
	stored   []byte         // now, as it was read
	verb     Verb           // empty when the change would change nothing
	revision int64          // of the stored object; 0: there is none
	created  int64
	version  int64 // how often it was written since it was created
	seen     int64 // the store's revision when it was read
}

// decide finds out what the change does to the object as it is stored now.
func (st *step) decide() {
	switch {
	case st.put == nil:
		st.verb = VerbDelete
	case st.revision == 0:
		st.verb = VerbCreate
	case st.now != nil && (st.writtenAlike() || same(st.now, st.put)):
		st.verb = ""
	default:
		st.verb = VerbUpdate
	}
}

// writtenAlike says whether put would be written as what is stored was, by the same author at
// the same time: then it says the same. A start that finds its objects as they were asks this
// of each of them, and the thorough answer takes ten times as long.
func (st *step) writtenAlike() bool {
	h, now := st.put.Head(), st.now.Head()
	h.CreatedBy, h.UpdatedBy, h.UpdatedAt = now.CreatedBy, now.UpdatedBy, now.UpdatedAt
	b, err := gateway.MarshalClear(st.put)
	h.CreatedBy, h.UpdatedBy, h.UpdatedAt = "", "", time.Time{}
	return err == nil && bytes.Equal(b, st.stored)
}

// check compares the wanted revision with the stored one.
func (st *step) check() error {
	if st.put == nil && st.revision == 0 {
		return notFound(st.ref)
	}
	if st.ifRevision != nil && *st.ifRevision != st.revision {
		return &ConflictError{Ref: st.ref, Want: *st.ifRevision, Current: st.revision}
	}
	return nil
}

func (st *step) unchanged() clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(objectKey(st.ref)), "=", st.revision)
}

// ops are the object's part of the transaction, and how many bytes they carry.
func (st *step) ops(w Write, at time.Time) ([]clientv3.Op, int, error) {
	entry := historyValue{Time: at, Actor: w.Actor, Verb: st.verb, Reason: w.Reason, Created: st.created}
	op := clientv3.OpDelete(objectKey(st.ref))
	if st.put != nil {
		h := st.put.Head()
		h.CreatedBy, h.UpdatedBy, h.UpdatedAt = w.Actor, w.Actor, at
		if st.now != nil {
			h.CreatedBy = st.now.Head().CreatedBy
		}
		b, err := gateway.MarshalClear(st.put)
		if err != nil {
			return nil, 0, invalid("%s: %s", st.ref, err)
		}
		if len(b) > maxObjectSize {
			return nil, 0, invalid("%s has %d bytes; the most is %d: split it", st.ref, len(b), maxObjectSize)
		}
		entry.Object = b
		op = clientv3.OpPut(objectKey(st.ref), string(b))
	}
	b, err := json.Marshal(entry)
	if err != nil {
		return nil, 0, invalid("%s: %s", st.ref, err)
	}
	return []clientv3.Op{op, clientv3.OpPut(historyKey(st.ref, st.seen), string(b))}, len(b) + len(entry.Object), nil
}

// result is the object as stored at revision.
func (st *step) result(revision int64) gateway.Object {
	if st.put == nil {
		return nil
	}
	h := st.put.Head()
	h.Revision, h.CreatedRevision = revision, st.created
	if st.revision == 0 {
		h.CreatedRevision = revision
	}
	return st.put
}
