package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// Each round writes 200 kB and leaves nothing but old revisions, which the repair can drop:
// every write has to succeed although five times the quota is written.
func TestQuotaIsRepaired(t *testing.T) {
	t.Parallel()
	const quota = 6 << 20
	s := storetest.Open(t, store.Config{DataDir: t.TempDir(), UnsafeNoFsync: true, QuotaBackendBytes: quota})
	got, _ := watch(t, s, 0)
	pad := strings.Repeat("x", 100_000)
	for i := range 150 {
		name := fmt.Sprintf("t%d", i)
		obj := put(t, s, tenant(name, pad))
		if err := s.Delete(t.Context(), obj.Head().Ref(), by); err != nil {
			t.Fatalf("delete %d: %v", i, err)
		}
		clearHistory(t, s, name)
	}
	st := s.Status(t.Context())
	if st.Err != nil || st.Repairs < 2 || len(st.Alarms) != 0 || st.Quota != quota || st.DBSize > quota*3/2 || st.InUse > st.DBSize {
		t.Errorf("after writing 30 MB with a quota of 6 MB: %+v", st)
	}
	obj := put(t, s, tenant("last"))
	eventually(t, "the watch sees the last write", func() bool { return got.has(obj.Head().Ref(), obj.Head().Revision) })
}

// clearHistory removes what the store keeps on purpose, so that the test can write much.
func clearHistory(t *testing.T, s *store.Store, name string) {
	t.Helper()
	prefix := "/sluice/v1/history/tenant/-/" + name + "/"
	if _, err := s.Client().Delete(t.Context(), prefix, clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
}

// When the data themselves fill the quota, the error says so, nothing that was written is
// lost, and reading goes on.
func TestQuotaFullOfData(t *testing.T) {
	t.Parallel()
	const quota = 4 << 20
	s := storetest.Open(t, store.Config{DataDir: t.TempDir(), UnsafeNoFsync: true, QuotaBackendBytes: quota})
	pad := strings.Repeat("x", 200_000)
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		// etcd counts what it has written to its file, which it does every 100 ms.
		eventually(t, "the last write is counted", func() bool { return s.Status(t.Context()).InUse >= int64(n*2*len(pad)) })
		_, err = s.Put(t.Context(), tenant(fmt.Sprintf("t%d", n), pad), by)
	}
	if !errors.Is(err, store.ErrNoSpace) || !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "raise the quota") {
		t.Fatalf("write %d: %v", n, err)
	}
	repairs := s.Status(t.Context()).Repairs
	if _, err := s.Put(t.Context(), tenant("more", pad), by); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("the next write: %v", err)
	}
	if st := s.Status(t.Context()); repairs == 0 || st.Repairs != repairs {
		t.Errorf("%d repairs, then %d; a repair that did not help is not repeated at once", repairs, st.Repairs)
	}
	if err := s.Delete(t.Context(), tenant("t0").Ref(), by); err != nil {
		t.Errorf("a delete has to fit in: %v", err)
	}
	objs, _, err := s.List(t.Context(), "", "")
	if err != nil || len(objs) != n-2 {
		t.Errorf("%d objects, %v; want the %d that were acknowledged and not deleted", len(objs), err, n-2)
	}
}
