package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

var by = store.Write{Actor: "alice"}

func tenant(name string, hosts ...string) *gateway.Tenant {
	return &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: name}, Spec: gateway.TenantSpec{Hosts: hosts}}
}

func upstream(tenant, name string, addresses ...string) *gateway.Upstream {
	u := &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: tenant, Name: name}}
	for _, a := range addresses {
		u.Spec.Endpoints = append(u.Spec.Endpoints, gateway.ManualEndpoint{Address: a})
	}
	return u
}

func at(revision int64) *int64 { return &revision }

func put(t *testing.T, s *store.Store, obj gateway.Object) gateway.Object {
	t.Helper()
	out, err := s.Put(t.Context(), obj, by)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// eventually polls until ok, for at most a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute still not: %s", what)
		}
	}
}

func TestPutGetListDelete(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	acme := put(t, s, tenant("acme", "shop.example.com"))
	h := acme.Head()
	if h.Revision == 0 || h.Revision != h.CreatedRevision || h.CreatedBy != "alice" || h.UpdatedBy != "alice" || h.UpdatedAt.IsZero() {
		t.Errorf("server-set fields after create: %+v", h)
	}
	put(t, s, upstream("acme", "api", "10.0.0.1:80"))
	put(t, s, upstream("beta", "api", "10.0.0.2:80"))

	changed := tenant("acme", "shop.example.com", "www.example.com")
	changed.CreatedBy, changed.Revision = "mallory", 4711 // what the server sets is not the writer's
	out, err := s.Put(ctx, changed, store.Write{Actor: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(ctx, changed.Ref())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []gateway.Object{out, got} {
		h := o.Head()
		if h.CreatedRevision != acme.Head().Revision || h.Revision <= h.CreatedRevision || h.CreatedBy != "alice" || h.UpdatedBy != "bob" {
			t.Errorf("server-set fields after update: %+v", h)
		}
		if hosts := o.(*gateway.Tenant).Spec.Hosts; len(hosts) != 2 {
			t.Errorf("hosts = %q", hosts)
		}
	}
	if changed.Revision != 4711 {
		t.Error("Put changed the caller's object")
	}

	for _, c := range []struct {
		kind   gateway.Kind
		tenant string
		want   string
	}{
		{"", "", "[Tenant acme Upstream acme/api Upstream beta/api]"},
		{gateway.KindUpstream, "", "[Upstream acme/api Upstream beta/api]"},
		{gateway.KindUpstream, "beta", "[Upstream beta/api]"},
		{"", "acme", "[Upstream acme/api]"},
		{gateway.KindRoute, "", "[]"},
	} {
		objs, rev, err := s.List(ctx, c.kind, c.tenant)
		if err != nil || rev < got.Head().Revision || refs(objs) != c.want {
			t.Errorf("List(%q, %q) = %s at %d, %v; want %s", c.kind, c.tenant, refs(objs), rev, err, c.want)
		}
	}

	if err := s.Delete(ctx, changed.Ref(), by); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, changed.Ref()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get after Delete: %v", err)
	}
	if err := s.Delete(ctx, changed.Ref(), by); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("second Delete: %v", err)
	}
}

func refs(objs []gateway.Object) string {
	var out []string
	for _, o := range objs {
		out = append(out, o.Head().Ref().String())
	}
	return fmt.Sprint(out)
}

func TestPutOfTheSameKeepsTheRevision(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	first := put(t, s, upstream("acme", "api", "10.0.0.1:80"))
	again, err := s.Put(ctx, upstream("acme", "api", "10.0.0.1:80"), store.Write{Actor: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if again.Head().Revision != first.Head().Revision || again.Head().UpdatedBy != "alice" {
		t.Errorf("an identical put changed %+v to %+v", first.Head(), again.Head())
	}
	// Reading and writing back what was read is the same as well.
	got, err := s.Get(ctx, first.Head().Ref())
	if err != nil {
		t.Fatal(err)
	}
	if back := put(t, s, got); back.Head().Revision != first.Head().Revision {
		t.Errorf("writing back what was read made revision %d of %d", back.Head().Revision, first.Head().Revision)
	}
	if h, err := s.History(ctx, first.Head().Ref()); err != nil || len(h) != 1 {
		t.Errorf("history has %d entries, %v; want 1", len(h), err)
	}
	if _, err := s.Put(ctx, got, store.Write{Actor: "bob", IfRevision: at(0)}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("put of the same, if it does not exist: %v", err)
	}
}

func TestConflictNamesTheCurrentRevision(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	first := put(t, s, tenant("acme", "a.example.com"))
	rev := first.Head().Revision
	second, err := s.Put(ctx, tenant("acme", "b.example.com"), store.Write{Actor: "bob", IfRevision: at(rev)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what          string
		err           error
		want, current int64
	}{
		{"stale put", errOf(s.Put(ctx, tenant("acme", "c.example.com"), store.Write{Actor: "carol", IfRevision: at(rev)})), rev, second.Head().Revision},
		{"create of what exists", errOf(s.Put(ctx, tenant("acme"), store.Write{Actor: "carol", IfRevision: at(0)})), 0, second.Head().Revision},
		{"put of what is gone", errOf(s.Put(ctx, tenant("gone"), store.Write{Actor: "carol", IfRevision: at(rev)})), rev, 0},
		{"stale delete", s.Delete(ctx, first.Head().Ref(), store.Write{Actor: "carol", IfRevision: at(rev)}), rev, second.Head().Revision},
	} {
		var ce *store.ConflictError
		if !errors.Is(c.err, store.ErrConflict) || !errors.As(c.err, &ce) || ce.Want != c.want || ce.Current != c.current {
			t.Errorf("%s: %v; want a conflict of %d with current %d", c.what, c.err, c.want, c.current)
		}
	}
	if err := s.Delete(ctx, first.Head().Ref(), store.Write{Actor: "bob", IfRevision: at(second.Head().Revision)}); err != nil {
		t.Error(err)
	}
}

func errOf(_ gateway.Object, err error) error { return err }

func TestInvalidRequestsSayWhatToDo(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	big := tenant("big", strings.Repeat("x", 600<<10))
	for _, c := range []struct {
		obj  gateway.Object
		w    store.Write
		want string
	}{
		{tenant("Acme"), by, `name "Acme": use 1 to 253 lower-case letters`},
		{tenant("../etc"), by, "use 1 to 253"},
		{tenant("-"), by, "use 1 to 253"},
		{tenant(""), by, "use 1 to 253"},
		{tenant(strings.Repeat("a", 254)), by, "use 1 to 253"},
		{upstream("", "api"), by, "tenant is missing"},
		{upstream("a/b", "api"), by, `tenant "a/b": use 1 to 253`},
		{&gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "x", Tenant: "y"}}, by, `leave out tenant "y"`},
		{&gateway.Tenant{Meta: gateway.Meta{Kind: "tenant", Name: "x"}}, by, `unknown kind "tenant": known kinds are`},
		{tenant("acme"), store.Write{}, "needs an actor"},
		{big, by, "the most is 524288"},
		{nil, by, "there is no object"},
	} {
		_, err := s.Put(ctx, c.obj, c.w)
		if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("put %+v: %v; want ErrInvalid with %q", c.obj, err, c.want)
		}
	}
	if objs, rev, err := s.List(ctx, "", ""); len(objs) != 0 || rev != 1 || err != nil {
		t.Errorf("refused puts wrote something: %s at %d, %v", refs(objs), rev, err)
	}
}

func TestRestartKeepsData(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, store.Config{DataDir: dir})
	before := put(t, s, tenant("acme", "a.example.com"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), before.Head().Ref()); !errors.Is(err, store.ErrClosed) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Get after Close: %v", err)
	}
	s = storetest.Open(t, store.Config{DataDir: dir})
	after, err := s.Get(t.Context(), before.Head().Ref())
	if err != nil || after.Head().Revision != before.Head().Revision {
		t.Errorf("after restart: %+v, %v", after, err)
	}
	if h, err := s.History(t.Context(), before.Head().Ref()); err != nil || len(h) != 1 {
		t.Errorf("history after restart: %v, %v", h, err)
	}
}

func TestSecondOpenNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	storetest.Open(t, store.Config{DataDir: dir, UnsafeNoFsync: true})
	began := time.Now()
	_, err := store.Open(t.Context(), store.Config{DataDir: dir})
	want := fmt.Sprintf("data directory %s is in use by process %d (", dir, os.Getpid())
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("second Open: %v; want %q", err, want)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("second Open took %s", took)
	}
}

func TestCloseEndsWatchesAndRefusesCalls(t *testing.T) {
	var log bytes.Buffer
	s, err := store.Open(t.Context(), store.Config{DataDir: t.TempDir(), UnsafeNoFsync: true, Log: textLog(&log)})
	if err != nil {
		t.Fatal(err)
	}
	client := s.Client()
	lease, err := client.Grant(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	alive, err := client.KeepAlive(t.Context(), lease.ID)
	if err != nil {
		t.Fatal(err)
	}
	raw := client.Watch(t.Context(), "/services/")
	watched := make(chan error, 1)
	go func() { watched <- s.Watch(t.Context(), 0, func(store.Update) {}) }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(time.Minute)
	for raw != nil || alive != nil || watched != nil {
		select {
		case _, ok := <-raw:
			if !ok {
				raw = nil
			}
		case _, ok := <-alive:
			if !ok {
				alive = nil
			}
		case err := <-watched:
			if !errors.Is(err, store.ErrClosed) {
				t.Errorf("Watch ended with %v", err)
			}
			watched = nil
		case <-deadline:
			t.Fatal("a watch or keep-alive goes on after Close")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, errPut := client.Put(ctx, "/services/x", "1")
	_, errTxn := client.Txn(ctx).Commit()
	_, errStatus := client.Status(ctx, "")
	_, errDefrag := client.Defragment(ctx, "")
	for i, err := range []error{errPut, errTxn, errStatus, errDefrag, s.Status(ctx).Err, s.Close()} {
		if last := i == 5; last != (err == nil) || (!last && !errors.Is(err, store.ErrClosed)) {
			t.Errorf("call %d after Close: %v", i, err)
		}
	}
	for _, line := range strings.Split(log.String(), "\n") {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") {
			t.Errorf("an ordinary start and stop logs: %s", line)
		}
	}
}
