package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

func TestHistoryAndAt(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	ref := tenant("acme").Ref()
	one := put(t, s, tenant("acme", "1.example.com")).Head().Revision
	other := put(t, s, tenant("acme2")).Head().Revision // names that share a prefix stay apart
	two, err := s.Put(ctx, tenant("acme", "2.example.com"), store.Write{Actor: "bob", Reason: "OPS-2"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, ref, store.Write{Actor: "carol"}); err != nil {
		t.Fatal(err)
	}
	four := put(t, s, tenant("acme", "4.example.com")).Head().Revision

	h, err := s.History(ctx, ref)
	if err != nil || len(h) != 4 {
		t.Fatalf("history %+v, %v", h, err)
	}
	gone := h[1].Revision
	for i, want := range []string{
		fmt.Sprintf("%d alice create  4.example.com created at %d", four, four),
		fmt.Sprintf("%d carol delete ", gone),
		fmt.Sprintf("%d bob update OPS-2 2.example.com created at %d", two.Head().Revision, one),
		fmt.Sprintf("%d alice create  1.example.com created at %d", one, one),
	} {
		e := h[i]
		got := fmt.Sprintf("%d %s %s %s", e.Revision, e.Actor, e.Verb, e.Reason)
		if e.Object != nil {
			got += fmt.Sprintf(" %s created at %d", e.Object.(*gateway.Tenant).Spec.Hosts[0], e.Object.Head().CreatedRevision)
			if e.Object.Head().Revision != e.Revision {
				t.Errorf("entry %d holds revision %d", e.Revision, e.Object.Head().Revision)
			}
		}
		if got != want || e.Time.IsZero() {
			t.Errorf("entry %d: %q, want %q", i, got, want)
		}
	}

	for revision, want := range map[int64]string{
		one - 1: "", one: "1.example.com", other: "1.example.com", two.Head().Revision: "2.example.com",
		gone - 1: "2.example.com", gone: "", four: "4.example.com", four + 1000: "4.example.com",
	} {
		obj, err := s.At(ctx, ref, revision)
		switch {
		case want == "" && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrInvalid):
			t.Errorf("At(%d) = %+v, %v; want not found", revision, obj, err)
		case want != "" && (err != nil || obj.(*gateway.Tenant).Spec.Hosts[0] != want):
			t.Errorf("At(%d) = %+v, %v; want %s", revision, obj, err, want)
		}
	}
	if _, err := s.History(ctx, tenant("nobody").Ref()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("history of what never was: %v", err)
	}
}

// At must find the right entry however many other writes lie between, which moves the keys
// of entries away from their revisions.
func TestAtBetweenOtherWrites(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	ref := tenant("acme").Ref()
	want := map[int64]string{} // revision of the store to host
	host := ""
	for i := range 40 {
		var obj gateway.Object
		if i%3 == 0 {
			host = fmt.Sprintf("%d.example.com", i)
			obj = put(t, s, tenant("acme", host))
		} else {
			obj = put(t, s, tenant("noise", fmt.Sprintf("%d.example.com", i)))
		}
		want[obj.Head().Revision] = host
	}
	for revision, host := range want {
		obj, err := s.At(ctx, ref, revision)
		if err != nil || obj.(*gateway.Tenant).Spec.Hosts[0] != host {
			t.Errorf("At(%d) = %+v, %v; want %s", revision, obj, err, host)
		}
	}
}

func TestHistoryAndAuditAreBounded(t *testing.T) {
	const keep, writes = 20, 600
	s := storetest.Open(t, store.Config{DataDir: t.TempDir(), UnsafeNoFsync: true, HistoryKeep: keep, AuditKeep: keep})
	ref := tenant("acme").Ref()
	for i := range writes {
		put(t, s, tenant("acme", fmt.Sprintf("%d.example.com", i)))
	}
	h, err := s.History(t.Context(), ref)
	if err != nil || len(h) < keep || len(h) > keep+50 {
		t.Errorf("history has %d entries, want %d to %d; %v", len(h), keep, keep+50, err)
	}
	for i, e := range h {
		if want := fmt.Sprintf("%d.example.com", writes-1-i); e.Object.(*gateway.Tenant).Spec.Hosts[0] != want {
			t.Fatalf("entry %d is %+v, want %s", i, e.Object, want)
		}
	}
	for range 100 { // deleted and made again
		put(t, s, tenant("other"))
		if err := s.Delete(t.Context(), tenant("other").Ref(), by); err != nil {
			t.Fatal(err)
		}
	}
	if h, err := s.History(t.Context(), tenant("other").Ref()); err != nil || len(h) < keep || len(h) > keep+50 {
		t.Errorf("history of what came and went has %d entries, want %d to %d; %v", len(h), keep, keep+50, err)
	}
	put(t, s, tenant("acme"))
	h, err = s.History(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Audit(t.Context(), time.Time{}, 0)
	if err != nil || len(a) < keep || len(a) > keep+256 {
		t.Errorf("audit has %d records, %v", len(a), err)
	}
	if a[0].Revision != h[0].Revision {
		t.Errorf("the newest record is of revision %d, the newest entry of %d", a[0].Revision, h[0].Revision)
	}
}

func TestAuditSinceAndLimit(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	put(t, s, tenant("a"))
	time.Sleep(2 * time.Millisecond) // records carry milliseconds
	since := time.Now()
	put(t, s, tenant("b"))
	before := put(t, s, tenant("c")).Head().Revision
	if err := s.Delete(ctx, tenant("c").Ref(), by); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		since time.Time
		limit int
		want  string
	}{
		{time.Time{}, 0, "[delete Tenant c create Tenant c create Tenant b create Tenant a]"},
		{since, 0, "[delete Tenant c create Tenant c create Tenant b]"},
		{since, 2, "[delete Tenant c create Tenant c]"},
		{time.Now().Add(time.Hour), 0, "[]"},
	} {
		records, err := s.Audit(ctx, c.since, c.limit)
		var got []string
		for _, r := range records {
			got = append(got, r.Message)
		}
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("Audit(%s, %d) = %v, %v; want %s", c.since, c.limit, got, err, c.want)
		}
	}
	records, err := s.Audit(ctx, time.Time{}, 1)
	if err != nil || len(records) != 1 || records[0].Changes[0].Before != before {
		t.Errorf("the record of the delete is %+v, %v; before was %d", records, err, before)
	}
}

// Object, history entry and audit record carry one revision, so they came in one
// transaction.
func TestWriteIsOneTransaction(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	rev := put(t, s, tenant("acme")).Head().Revision
	r, err := s.Client().Get(ctx, "/sluice/v1/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Kvs) != 3 || r.Header.Revision != rev {
		t.Errorf("%d keys at revision %d, want 3 at %d", len(r.Kvs), r.Header.Revision, rev)
	}
	for _, kv := range r.Kvs {
		if kv.ModRevision != rev {
			t.Errorf("%s has revision %d, want %d", kv.Key, kv.ModRevision, rev)
		}
	}
}
