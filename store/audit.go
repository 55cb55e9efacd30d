package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// Record says who changed what, when and why: one for each write, with all its changes.
type Record struct {
	// Revision of the store that the write made.
	Revision int64         `json:"revision"`
	Time     time.Time     `json:"time"`
	Actor    string        `json:"actor"`
	Reason   string        `json:"reason,omitempty"`
	Message  string        `json:"message"` // such as "update Route acme/shop-api"
	Changes  []AuditChange `json:"changes"`
}

// AuditChange is what a write did to one object.
type AuditChange struct {
	Verb Verb        `json:"verb"`
	Ref  gateway.Ref `json:"ref"`
	// Before is the revision that the object had before; 0: it did not exist. With
	// [Store.At] it gives the former state.
	Before int64 `json:"before"`
}

// auditValue is what etcd holds; the revision is that of the key.
type auditValue struct {
	Time    time.Time     `json:"time"`
	Actor   string        `json:"actor"`
	Reason  string        `json:"reason,omitempty"`
	Message string        `json:"message"`
	Changes []AuditChange `json:"changes"`
}

const (
	// auditTrimEvery is how many writes of this process pass between two looks at the
	// length of the audit.
	auditTrimEvery = 256
	// maxAuditLimit bounds what one call of Audit returns.
	maxAuditLimit = 10_000
)

// encode gives the record its message and its key, which no other write has.
func (v auditValue) encode() (key, value string, _ error) {
	first := v.Changes[0]
	v.Message = fmt.Sprintf("%s %s", first.Verb, first.Ref)
	if n := len(v.Changes) - 1; n > 0 {
		v.Message += fmt.Sprintf(" and %d more", n)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "", "", invalid("audit record: %s", err)
	}
	return auditKey(time.Now()), string(b), nil
}

// Audit returns the records of writes since a time (zero: all), newest first, at most limit
// of them (0: 10000, which is the most).
func (s *Store) Audit(ctx context.Context, since time.Time, limit int) ([]Record, error) {
	if limit <= 0 || limit > maxAuditLimit {
		limit = maxAuditLimit
	}
	end := clientv3.GetPrefixRangeEnd(auditPrefix)
	if since.After(time.Unix(0, 0)) {
		end = auditPrefix + countdown(since.UnixNano()-1)
	}
	c, cancel := s.call(ctx)
	defer cancel()
	r, err := s.client.Get(c, auditPrefix, clientv3.WithRange(end), clientv3.WithLimit(int64(limit)))
	if err != nil {
		return nil, failed(ctx, "read the audit", err)
	}
	out := make([]Record, 0, len(r.Kvs))
	for _, kv := range r.Kvs {
		var v auditValue
		if err := json.Unmarshal(kv.Value, &v); err != nil {
			s.log.Error("store: audit record cannot be read", "key", string(kv.Key), "error", err)
			continue
		}
		out = append(out, Record{Revision: kv.ModRevision, Time: v.Time, Actor: v.Actor, Reason: v.Reason, Message: v.Message, Changes: v.Changes})
	}
	return out, nil
}

// trimAudit looks now and then whether the audit has grown too long.
func (s *Store) trimAudit(ctx context.Context) {
	if s.writes.Add(1)%auditTrimEvery != 0 {
		return
	}
	c, cancel := s.call(ctx)
	defer cancel()
	r, err := s.client.Get(c, auditPrefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err == nil && r.Count > int64(s.cfg.AuditKeep) {
		s.trim(ctx, auditPrefix, s.cfg.AuditKeep)
	}
}
