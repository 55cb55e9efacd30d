package store

import (
	"context"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// Get returns the object as of its last acknowledged write, or [ErrNotFound].
func (s *Store) Get(ctx context.Context, ref gateway.Ref) (gateway.Object, error) {
	if err := checkRef(ref); err != nil {
		return nil, err
	}
	c, cancel := s.call(ctx)
	defer cancel()
	r, err := s.client.Get(c, objectKey(ref), s.fresh...)
	if err != nil {
		return nil, failed(ctx, "get "+ref.String(), err)
	}
	if len(r.Kvs) == 0 {
		return nil, notFound(ref)
	}
	return decodeKV(ref, r.Kvs[0])
}

// List returns the objects of a kind, or of all kinds when kind is empty, sorted by kind,
// tenant and name, and the store's revision that the list shows: Watch continues from it.
// A tenant narrows it to the objects that this tenant owns.
//
// A value that cannot be read is logged and left out, so that one bad key does not hide
// everything else; Get on it tells what is wrong.
func (s *Store) List(ctx context.Context, kind gateway.Kind, tenant string) ([]gateway.Object, int64, error) {
	prefix := objectsPrefix
	if kind != "" {
		if kindByFolder[folder(kind)] != kind {
			return nil, 0, invalid("unknown kind %q: known kinds are %v", kind, gateway.Kinds)
		}
		prefix += folder(kind) + "/"
	}
	if tenant != "" {
		if err := checkName("tenant", tenant); err != nil {
			return nil, 0, err
		}
		if kind.Owned() {
			prefix += tenant + "/"
		}
	}
	c, cancel := s.call(ctx)
	defer cancel()
	r, err := s.client.Get(c, prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, 0, failed(ctx, "list "+prefix, err)
	}
	out := []gateway.Object{}
	for _, kv := range r.Kvs {
		if obj := s.readable(kv); obj != nil && (tenant == "" || obj.Head().Tenant == tenant) {
			out = append(out, obj)
		}
	}
	return out, r.Header.Revision, nil
}

// readable decodes a key and value, or logs why it cannot and returns nil.
func (s *Store) readable(kv *mvccpb.KeyValue) gateway.Object {
	ref, ok := refOf(kv.Key)
	if !ok {
		s.log.Warn("store: key is of no known kind or has a bad name; ignored", "key", string(kv.Key))
		return nil
	}
	obj, err := decodeKV(ref, kv)
	if err != nil {
		s.log.Error("store: object cannot be read; ignored until it is written again", "object", ref.String(), "error", err)
		return nil
	}
	return obj
}
