package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/sluice-gateway/sluice/gateway"
)

// decode reads an object and fills in what only etcd knows. The ref comes from the key;
// fields that this version does not know are ignored, since a newer one may have written
// them.
func decode(ref gateway.Ref, value []byte, created, revision int64) (gateway.Object, error) {
	obj, err := gateway.NewObject(ref.Kind)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(value, obj); err != nil {
		return nil, fmt.Errorf("read %s at revision %d: %w", ref, revision, err)
	}
	h := obj.Head()
	if h.Ref() != ref {
		return nil, fmt.Errorf("read %s at revision %d: the value holds %s", ref, revision, h.Ref())
	}
	h.Revision, h.CreatedRevision = revision, created
	return obj, nil
}

func decodeKV(ref gateway.Ref, kv *mvccpb.KeyValue) (gateway.Object, error) {
	return decode(ref, kv.Value, kv.CreateRevision, kv.ModRevision)
}

// clone copies an object without the fields that the server sets.
func clone(obj gateway.Object) (gateway.Object, error) {
	b, err := gateway.MarshalClear(obj)
	if err != nil {
		return nil, invalid("%s: %s", obj.Head().Ref(), err)
	}
	c, err := gateway.NewObject(obj.Head().Kind)
	if err != nil {
		return nil, invalid("%s", err)
	}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, invalid("%s: %s", obj.Head().Ref(), err)
	}
	h := c.Head()
	h.Revision, h.CreatedRevision, h.CreatedBy, h.UpdatedBy, h.UpdatedAt, h.DerivedFrom = 0, 0, "", "", time.Time{}, nil
	return c, nil
}

// same says whether two objects say the same, whoever wrote them and when.
func same(a, b gateway.Object) bool {
	a, errA := clone(a)
	b, errB := clone(b)
	if errA != nil || errB != nil {
		return false
	}
	x, errX := gateway.MarshalClear(a)
	y, errY := gateway.MarshalClear(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
