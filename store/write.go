package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// Put writes an object and returns it as stored, with its revision. What the server sets
// (revisions, who and when) is taken from etcd and w, not from obj. An object that says the
// same as the stored one is left alone and keeps its revision. Errors: [ErrInvalid],
// [ErrConflict], [ErrUnavailable].
func (s *Store) Put(ctx context.Context, obj gateway.Object, w Write) (gateway.Object, error) {
	if obj == nil {
		return nil, invalid("put: there is no object")
	}
	out, err := s.Apply(ctx, []gateway.Change{{Object: obj, IfRevision: w.IfRevision}}, Write{Actor: w.Actor, Reason: w.Reason})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Delete removes an object; its history stays. Errors: [ErrNotFound], [ErrInvalid],
// [ErrConflict], [ErrUnavailable].
func (s *Store) Delete(ctx context.Context, ref gateway.Ref, w Write) error {
	_, err := s.Apply(ctx, []gateway.Change{{Ref: ref, IfRevision: w.IfRevision}}, Write{Actor: w.Actor, Reason: w.Reason})
	return err
}

// Apply makes several changes in one transaction, all or none, with one audit record. It
// returns the objects as stored, in the order of changes, nil for a delete. No object may
// be named twice, and there may be at most [Store.MaxChanges] of them.
func (s *Store) Apply(ctx context.Context, changes []gateway.Change, w Write) ([]gateway.Object, error) {
	if w.Actor == "" {
		return nil, invalid("a write needs an actor: who makes the change?")
	}
	if w.IfRevision != nil {
		return nil, invalid("several changes: give ifRevision with each change")
	}
	steps, err := s.steps(changes)
	if err != nil {
		return nil, err
	}
	for range maxAttempts {
		revision, done, err := s.try(ctx, steps, w)
		if err != nil {
			return nil, failedWrite(ctx, steps, err)
		}
		if done {
			return s.finish(ctx, steps, revision), nil
		}
		// Someone else wrote one of the objects in between: look again.
	}
	return nil, failedWrite(ctx, steps, fmt.Errorf("%w: others wrote in between %d times", ErrUnavailable, maxAttempts))
}

// maxAttempts bounds a write without IfRevision among many others on the same object. Each
// failed attempt means that another write got through.
const maxAttempts = 1000

// MaxChanges is how many objects one Apply can change: each takes two operations of a
// transaction and the audit record takes one. 63 with a cluster's default of 128
// operations, 511 embedded.
func (s *Store) MaxChanges() int { return (s.maxOps - 1) / 2 }

// steps checks the changes and copies what they put.
func (s *Store) steps(changes []gateway.Change) ([]*step, error) {
	if len(changes) > s.MaxChanges() {
		return nil, invalid("%d objects in one change; this etcd takes at most %d in one transaction: split them, or raise etcd's --max-txn-ops and store.etcd.maxTxnOps", len(changes), s.MaxChanges())
	}
	steps := make([]*step, 0, len(changes))
	named := map[gateway.Ref]bool{}
	for i, c := range changes {
		ref := refOfChange(c)
		if err := checkRef(ref); err != nil {
			return nil, fmt.Errorf("change %d: %w", i+1, err)
		}
		if c.Ref != (gateway.Ref{}) && c.Ref != ref {
			return nil, invalid("change %d: it names %s but holds %s", i+1, c.Ref, ref)
		}
		if named[ref] {
			return nil, invalid("change %d: %s is named twice", i+1, ref)
		}
		named[ref] = true
		st := &step{ref: ref, ifRevision: c.IfRevision}
		if c.Object != nil {
			var err error
			if st.put, err = clone(c.Object); err != nil {
				return nil, fmt.Errorf("change %d: %w", i+1, err)
			}
		}
		steps = append(steps, st)
	}
	return steps, nil
}

// try reads the objects and writes all of them if they are still what was read. It is
// done, at a revision, or has to be repeated.
func (s *Store) try(ctx context.Context, steps []*step, w Write) (revision int64, done bool, err error) {
	if err := s.look(ctx, steps); err != nil {
		return 0, false, err
	}
	at := time.Now().UTC().Truncate(time.Millisecond)
	record := auditValue{Time: at, Actor: w.Actor, Reason: w.Reason}
	var ifs []clientv3.Cmp
	var ops []clientv3.Op
	size := 0
	for _, st := range steps {
		if err := st.check(); err != nil {
			return 0, false, err
		}
		if err := gateway.KeepSecrets(st.put, st.now); err != nil {
			return 0, false, err
		}
		ifs = append(ifs, st.unchanged())
		if st.decide(); st.verb == "" {
			continue
		}
		o, n, err := st.ops(w, at)
		if err != nil {
			return 0, false, err
		}
		ops, size = append(ops, o...), size+n
		record.Changes = append(record.Changes, AuditChange{Verb: st.verb, Ref: st.ref, Before: st.revision})
	}
	if len(ops) == 0 {
		return 0, true, nil
	}
	key, value, err := record.encode()
	if err != nil {
		return 0, false, err
	}
	if size += len(value); size > s.maxRequest {
		return 0, false, invalid("the change has %d bytes with its history; this etcd takes at most %d in one transaction: split it", size, s.maxRequest)
	}
	return s.commit(ctx, ifs, append(ops, clientv3.OpPut(key, value)), key)
}

// commit does the transaction. It is done, or nothing was, because a condition failed.
//
// An etcd that runs full may do a transaction and still answer that there is no space; the
// second try then finds its own work in the way. The audit record tells: its key, proof,
// belongs to this transaction alone.
func (s *Store) commit(ctx context.Context, ifs []clientv3.Cmp, ops []clientv3.Op, proof string) (revision int64, done bool, err error) {
	r, err := s.withRoom(ctx, func() (*clientv3.TxnResponse, error) {
		c, cancel := s.call(ctx) // anew after a repair, which may take long
		defer cancel()
		return s.client.Txn(c).If(ifs...).Then(ops...).Else(clientv3.OpGet(proof, clientv3.WithKeysOnly())).Commit()
	})
	if errors.Is(err, ErrNoSpace) {
		c, cancel := s.call(ctx)
		defer cancel()
		if found, errGet := s.client.Get(c, proof, clientv3.WithKeysOnly()); errGet == nil && len(found.Kvs) > 0 {
			return found.Kvs[0].ModRevision, true, nil
		}
	}
	if err != nil {
		return 0, false, err
	}
	if r.Succeeded {
		return r.Header.Revision, true, nil
	}
	if kvs := r.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
		return kvs[0].ModRevision, true, nil
	}
	return 0, false, nil
}

// look reads the objects at one revision.
func (s *Store) look(ctx context.Context, steps []*step) error {
	if len(steps) == 0 {
		return nil
	}
	ops := make([]clientv3.Op, 0, len(steps))
	for _, st := range steps {
		ops = append(ops, clientv3.OpGet(objectKey(st.ref), s.fresh...))
	}
	c, cancel := s.call(ctx)
	defer cancel()
	r, err := s.client.Txn(c).Then(ops...).Commit()
	if err != nil {
		return err
	}
	for i, st := range steps {
		st.now, st.stored, st.revision, st.created, st.version = nil, nil, 0, 0, 0
		st.seen = r.Header.Revision
		kvs := r.Responses[i].GetResponseRange().Kvs
		if len(kvs) == 0 {
			continue
		}
		st.stored, st.revision, st.created, st.version = kvs[0].Value, kvs[0].ModRevision, kvs[0].CreateRevision, kvs[0].Version
		// An object that cannot be read is simply replaced.
		if st.now, err = decodeKV(st.ref, kvs[0]); err != nil {
			st.now = nil
			s.log.Warn("store: replacing an object that cannot be read", "object", st.ref.String(), "error", err)
		}
	}
	return nil
}

// finish hands out the results and trims what has grown too long.
func (s *Store) finish(ctx context.Context, steps []*step, revision int64) []gateway.Object {
	out := make([]gateway.Object, len(steps))
	for i, st := range steps {
		if st.verb == "" {
			out[i] = st.now
			continue
		}
		out[i] = st.result(revision)
		if st.trims() {
			s.trim(ctx, historyOf(st.ref), s.cfg.HistoryKeep)
		}
	}
	if revision > 0 {
		s.trimAudit(ctx)
	}
	return out
}

func failedWrite(ctx context.Context, steps []*step, err error) error {
	doing := "write"
	switch len(steps) {
	case 0:
	case 1:
		doing += " " + steps[0].ref.String()
	default:
		doing += fmt.Sprintf(" %s and %d more", steps[0].ref, len(steps)-1)
	}
	if isOurs(err) {
		return err
	}
	return failed(ctx, doing, err)
}
