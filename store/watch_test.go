package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// seen collects what a watch delivers and keeps the set that a consumer would.
type seen struct {
	mu      sync.Mutex
	updates []store.Update
	set     map[gateway.Ref]int64 // to revision
}

func (s *seen) add(u store.Update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.Resync || s.set == nil {
		s.set = map[gateway.Ref]int64{}
	}
	for _, c := range u.Changes {
		if c.Object == nil {
			delete(s.set, c.Ref)
		} else {
			s.set[c.Ref] = c.Object.Head().Revision
		}
	}
	s.updates = append(s.updates, u)
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.updates)
}

func (s *seen) get(i int) store.Update {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updates[i]
}

func (s *seen) has(ref gateway.Ref, revision int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set[ref] == revision
}

// watch starts a watch that ends with the test.
func watch(t *testing.T, s *store.Store, after int64) (*seen, context.CancelFunc) {
	t.Helper()
	got := &seen{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Watch(ctx, after, got.add) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return got, stop
}

func TestWatchFromTheBeginning(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	first := put(t, s, tenant("acme"))
	got, _ := watch(t, s, 0)
	eventually(t, "the first set", func() bool { return got.count() == 1 })
	if u := got.get(0); !u.Resync || len(u.Changes) != 1 || u.Changes[0].Ref != first.Head().Ref() || u.Revision < first.Head().Revision {
		t.Errorf("first update %+v", u)
	}
	out, err := s.Apply(ctx, []gateway.Change{{Object: upstream("acme", "a")}, {Object: upstream("acme", "b")}, {Ref: first.Head().Ref()}}, by)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the applied changes", func() bool { return got.count() == 2 })
	u := got.get(1)
	if u.Resync || len(u.Changes) != 3 || u.Revision != out[0].Head().Revision {
		t.Errorf("one Apply came as %+v", u)
	}
	for _, c := range u.Changes {
		if (c.Object == nil) != (c.Ref == first.Head().Ref()) || c.Revision != u.Revision {
			t.Errorf("change %+v", c)
		}
	}
}

func TestWatchContinuesFromARevision(t *testing.T) {
	s := storetest.OpenTemp(t)
	first := put(t, s, upstream("acme", "a"))
	second := put(t, s, upstream("acme", "b"))
	third := put(t, s, upstream("acme", "a", "10.0.0.1:80"))
	got, _ := watch(t, s, first.Head().Revision)
	eventually(t, "the third write", func() bool { return got.has(third.Head().Ref(), third.Head().Revision) })
	var revisions []int64
	for i := range got.count() {
		if got.get(i).Resync {
			t.Errorf("update %d is a resync", i)
		}
		for _, c := range got.get(i).Changes {
			revisions = append(revisions, c.Revision)
		}
	}
	if want := []int64{second.Head().Revision, third.Head().Revision}; !slices.Equal(revisions, want) {
		t.Errorf("saw revisions %v, want %v", revisions, want)
	}
}

// compact drops what a watch from an old revision would need.
func compact(t *testing.T, c *clientv3.Client) {
	t.Helper()
	r, err := c.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Compact(t.Context(), r.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
}

func TestWatchResyncsAfterCompaction(t *testing.T) {
	s := storetest.OpenTemp(t)
	ghost := put(t, s, tenant("ghost"))
	kept := put(t, s, tenant("kept"))
	from := kept.Head().Revision
	if err := s.Delete(t.Context(), ghost.Head().Ref(), by); err != nil {
		t.Fatal(err)
	}
	fresh := put(t, s, tenant("fresh"))
	compact(t, s.Client())

	got, _ := watch(t, s, from)
	eventually(t, "a resync", func() bool { return got.count() > 0 })
	u := got.get(0)
	var names []string
	for _, c := range u.Changes {
		names = append(names, c.Ref.Name)
	}
	if !u.Resync || fmt.Sprint(names) != "[fresh kept]" {
		t.Errorf("after compaction: %+v", u)
	}
	// And it goes on from there.
	next := put(t, s, tenant("kept", "a.example.com"))
	eventually(t, "the next change", func() bool { return got.has(next.Head().Ref(), next.Head().Revision) })
	if !got.has(fresh.Head().Ref(), fresh.Head().Revision) || got.has(ghost.Head().Ref(), ghost.Head().Revision) {
		t.Error("the set has a ghost or lacks an object")
	}
}

// A revision from another life of the store (a restored backup, a browser's Last-Event-ID
// after a reinstallation) would otherwise wait in silence until the store got there.
func TestWatchFromTheFutureResyncs(t *testing.T) {
	s := storetest.OpenTemp(t)
	obj := put(t, s, tenant("acme"))
	got, _ := watch(t, s, obj.Head().Revision+1000)
	eventually(t, "a resync", func() bool { return got.count() > 0 && got.get(0).Resync })
	next := put(t, s, tenant("acme", "a.example.com"))
	eventually(t, "the next change", func() bool { return got.has(next.Head().Ref(), next.Head().Revision) })
}

func TestWatchKeepsTheLastGoodOfAnUnreadableObject(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	good := put(t, s, tenant("acme"))
	got, _ := watch(t, s, 0)
	eventually(t, "the first set", func() bool { return got.count() == 1 })
	for key, value := range map[string]string{
		"/sluice/v1/objects/tenant/-/acme":      "{not json",
		"/sluice/v1/objects/gizmo/-/x":          "{}",
		"/sluice/v1/objects/tenant/-/stolen":    `{"kind":"Tenant","name":"other"}`,
		"/sluice/v1/objects/tenant/-/Bad_Name!": `{"kind":"Tenant","name":"Bad_Name!"}`,
	} {
		if _, err := s.Client().Put(ctx, key, value); err != nil {
			t.Fatal(err)
		}
	}
	last := put(t, s, tenant("last"))
	eventually(t, "the last change", func() bool { return got.has(last.Head().Ref(), last.Head().Revision) })
	if got.count() != 2 || !got.has(good.Head().Ref(), good.Head().Revision) {
		t.Errorf("%d updates; the good object is gone: %v", got.count(), got.set)
	}
	objs, _, err := s.List(ctx, "", "")
	if err != nil || refs(objs) != "[Tenant last]" {
		t.Errorf("List = %s, %v", refs(objs), err)
	}
	if _, err := s.Get(ctx, good.Head().Ref()); err == nil {
		t.Error("Get of an unreadable object succeeded")
	}
	// A new write mends it.
	mended := put(t, s, tenant("acme", "a.example.com"))
	eventually(t, "the mended object", func() bool { return got.has(mended.Head().Ref(), mended.Head().Revision) })
}

func TestFollowHasTheWholeSetEachTime(t *testing.T) {
	s := storetest.OpenTemp(t)
	a := put(t, s, tenant("a"))
	ctx, cancel := context.WithCancel(t.Context())
	states := make(chan store.State, 100)
	done := make(chan error, 1)
	go func() { done <- s.Follow(ctx, func(st store.State) { states <- st }) }()
	next := func(want string) {
		t.Helper()
		if st := <-states; refs(st.Objects) != want || st.Revision == 0 {
			t.Errorf("state %s at %d, want %s", refs(st.Objects), st.Revision, want)
		}
	}
	next("[Tenant a]")
	put(t, s, upstream("a", "b"))
	next("[Tenant a Upstream a/b]")
	if err := s.Delete(t.Context(), a.Head().Ref(), by); err != nil {
		t.Fatal(err)
	}
	next("[Upstream a/b]")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Follow ended with %v", err)
	}
}
