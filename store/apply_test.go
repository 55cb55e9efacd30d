package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

func TestApplyIsAllOrNothing(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	old := put(t, s, tenant("acme"))
	_, before, err := s.List(ctx, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		bad  gateway.Change
		want error
	}{
		"stale revision": {gateway.Change{Object: tenant("acme", "x.example.com"), IfRevision: at(1)}, store.ErrConflict},
		"must not exist": {gateway.Change{Object: tenant("acme", "x.example.com"), IfRevision: at(0)}, store.ErrConflict},
		"missing":        {gateway.Change{Ref: upstream("acme", "none").Ref()}, store.ErrNotFound},
		"bad name":       {gateway.Change{Object: tenant("NO")}, store.ErrInvalid},
		"twice":          {gateway.Change{Ref: upstream("acme", "new").Ref()}, store.ErrInvalid},
		"nothing":        {gateway.Change{}, store.ErrInvalid},
		"two names":      {gateway.Change{Object: tenant("beta"), Ref: tenant("gamma").Ref()}, store.ErrInvalid},
	} {
		_, err := s.Apply(ctx, []gateway.Change{{Object: upstream("acme", "new")}, c.bad}, by)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	objs, after, err := s.List(ctx, "", "")
	if err != nil || after != before || refs(objs) != "[Tenant acme]" {
		t.Errorf("refused changes left %s at revision %d (before: %d), %v", refs(objs), after, before, err)
	}

	out, err := s.Apply(ctx, []gateway.Change{
		{Object: upstream("acme", "new")},
		{Object: tenant("acme")}, // the same as before
		{Object: tenant("beta"), IfRevision: at(0)},
	}, store.Write{Actor: "ci", Reason: "OPS-1"})
	if err != nil {
		t.Fatal(err)
	}
	if out[0].Head().Revision != out[2].Head().Revision || out[1].Head().Revision != old.Head().Revision {
		t.Errorf("revisions %d %d %d: one write has one revision, the same object keeps its own", out[0].Head().Revision, out[1].Head().Revision, out[2].Head().Revision)
	}
	audit, err := s.Audit(ctx, time.Time{}, 1)
	if err != nil || len(audit) != 1 {
		t.Fatal(audit, err)
	}
	r := audit[0]
	if r.Revision != out[0].Head().Revision || r.Actor != "ci" || r.Reason != "OPS-1" || r.Message != "create Upstream acme/new and 1 more" || len(r.Changes) != 2 {
		t.Errorf("audit record %+v", r)
	}
	if none, err := s.Apply(ctx, nil, by); err != nil || len(none) != 0 {
		t.Errorf("nothing to do: %v, %v", none, err)
	}
}

func TestApplyLimit(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	var changes []gateway.Change
	for i := range s.MaxChanges() {
		changes = append(changes, gateway.Change{Object: upstream("acme", fmt.Sprintf("u%d", i))})
	}
	out, err := s.Apply(ctx, changes, by)
	if err != nil || out[0].Head().Revision != out[len(out)-1].Head().Revision {
		t.Fatalf("%d changes: %v", len(changes), err)
	}
	_, err = s.Apply(ctx, append(changes, gateway.Change{Object: tenant("acme")}), by)
	if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "takes at most 511 in one transaction: split them") {
		t.Errorf("one more: %v", err)
	}
	var wide []gateway.Change
	for i := range 10 {
		wide = append(wide, gateway.Change{Object: tenant(fmt.Sprintf("t%d", i), strings.Repeat("x", 500_000))})
	}
	if _, err := s.Apply(ctx, wide, by); !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("10 MB at once: %v", err)
	}
}

// Writers without IfRevision never see a conflict; writers with it never lose an update.
func TestConcurrentWriters(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	counter := put(t, s, upstream("acme", "counter")).Head().Ref()
	const writers, each = 4, 15
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for n := range each {
				if _, err := s.Put(ctx, tenant("shared", fmt.Sprintf("h%d-%d.example.com", i, n)), by); err != nil {
					t.Error(err)
				}
				for {
					obj, err := s.Get(ctx, counter)
					if err != nil {
						t.Error(err)
						return
					}
					u := obj.(*gateway.Upstream)
					u.Spec.Endpoints = append(u.Spec.Endpoints, gateway.ManualEndpoint{Address: "10.0.0.1:80"})
					_, err = s.Put(ctx, u, store.Write{Actor: "alice", IfRevision: at(u.Revision)})
					if err == nil {
						break
					}
					if !errors.Is(err, store.ErrConflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	obj, err := s.Get(ctx, counter)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(obj.(*gateway.Upstream).Spec.Endpoints); n != writers*each {
		t.Errorf("%d updates counted, want %d", n, writers*each)
	}
	if h, err := s.History(ctx, tenant("shared").Ref()); err != nil || len(h) != writers*each {
		t.Errorf("history has %d entries, want %d, %v", len(h), writers*each, err)
	}
}
