package store_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

func TestClusterSurvivesItsLeader(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, storetest.Options{})
	s := storetest.Open(t, c.Config())
	ctx := t.Context()
	first := put(t, s, tenant("acme"))
	got, _ := watch(t, s, 0)
	eventually(t, "the first set", func() bool { return got.count() == 1 })

	st := s.Status(ctx)
	leaders := 0
	for _, m := range st.Members {
		if m.Leader {
			leaders++
		}
		if m.Err != nil || !strings.HasPrefix(m.Name, "m") || m.DBSize == 0 {
			t.Errorf("member %+v", m)
		}
	}
	if st.Err != nil || st.Mode != store.ModeCluster || len(st.Members) != 3 || leaders != 1 || st.Revision < first.Head().Revision {
		t.Errorf("status %+v", st)
	}
	if s.MaxChanges() != 63 {
		t.Errorf("MaxChanges = %d", s.MaxChanges())
	}

	eventually(t, "a leader", func() bool { return c.Leader() >= 0 })
	killed := time.Now()
	c.Kill(c.Leader())
	acknowledged := map[string]int64{}
	for i := 0; len(acknowledged) < 20; i++ {
		if time.Since(killed) > 2*time.Minute {
			t.Fatalf("only %d writes in two minutes", len(acknowledged))
		}
		name := fmt.Sprintf("after-%d", i)
		obj, err := s.Put(ctx, tenant(name), by)
		if err == nil {
			acknowledged[name] = obj.Head().Revision
		} else if !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("while electing: %v", err)
		}
		if len(acknowledged) == 1 && err == nil {
			t.Logf("first write %s after the leader began to die", time.Since(killed).Round(time.Millisecond))
		}
	}
	for name, revision := range acknowledged {
		eventually(t, "the watch sees "+name, func() bool { return got.has(tenant(name).Ref(), revision) })
	}
	st = s.Status(ctx)
	silent := 0
	for _, m := range st.Members {
		if m.Err != nil {
			silent++
		}
	}
	if st.Err != nil || silent != 1 {
		t.Errorf("%d of 3 members silent, want 1: %+v", silent, st)
	}
}

// The whole cluster goes away: calls fail in bounded time, nothing is forgotten, and the
// same store goes on when it is back.
func TestClusterAwayAndBack(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, storetest.Options{})
	cfg := c.Config()
	cfg.CallTimeout = time.Second
	s := storetest.Open(t, cfg)
	kept := put(t, s, tenant("kept"))
	got, _ := watch(t, s, 0)
	eventually(t, "the first set", func() bool { return got.count() == 1 })
	for i := range c.Members {
		c.Kill(i)
	}
	began := time.Now()
	_, errGet := s.Get(t.Context(), kept.Head().Ref())
	_, errPut := s.Put(t.Context(), tenant("x"), by)
	_, _, errList := s.List(t.Context(), "", "")
	for _, err := range []error{errGet, errPut, errList, s.Status(t.Context()).Err} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("without etcd: %v", err)
		}
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("four calls with a bound of one second each took %s", took)
	}
	c.Restart(t, 0, 1, 2)
	eventually(t, "writes succeed again", func() bool {
		_, err := s.Put(t.Context(), tenant("back"), by)
		return err == nil
	})
	last := put(t, s, tenant("last"))
	eventually(t, "the watch sees the last write", func() bool { return got.has(last.Head().Ref(), last.Head().Revision) })
	if !got.has(kept.Head().Ref(), kept.Head().Revision) {
		t.Error("the set has lost an object")
	}
}

func TestClusterApplyLimit(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, storetest.Options{Members: 1})
	s := storetest.Open(t, c.Config())
	var changes []gateway.Change
	for i := range s.MaxChanges() {
		changes = append(changes, gateway.Change{Object: upstream("acme", fmt.Sprintf("u%d", i))})
	}
	if _, err := s.Apply(t.Context(), changes, by); err != nil {
		t.Errorf("%d changes in one transaction of a default etcd: %v", len(changes), err)
	}
	_, err := s.Apply(t.Context(), append(changes, gateway.Change{Object: tenant("acme")}), by)
	if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "at most 63") {
		t.Errorf("one more: %v", err)
	}
}

func TestClusterQuotaIsRepaired(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, storetest.Options{QuotaBytes: 6 << 20})
	s := storetest.Open(t, c.Config())
	pad := strings.Repeat("x", 100_000)
	for i := range 60 {
		name := fmt.Sprintf("t%d", i)
		obj, err := s.Put(t.Context(), tenant(name, pad), store.Write{Actor: "alice", IfRevision: at(0)})
		if err != nil {
			t.Fatalf("create %d: %v", i, err)
		}
		if err := s.Delete(t.Context(), obj.Head().Ref(), store.Write{Actor: "alice", IfRevision: at(obj.Head().Revision)}); err != nil {
			t.Fatalf("delete %d: %v", i, err)
		}
		clearHistory(t, s, name)
	}
	if st := s.Status(t.Context()); st.Err != nil || st.Repairs == 0 || len(st.Alarms) != 0 {
		t.Errorf("after writing 12 MB with a quota of 6 MB: %+v", st)
	}
}

func TestClusterWithTLSAndPassword(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, storetest.Options{Members: 1, TLS: true})
	ctx := t.Context()
	c.RequirePassword(t, "/sluice/")
	if _, err := c.Client(t).UserAdd(ctx, "guest", "guest"); err != nil {
		t.Fatal(err)
	}
	password := func(word string) string {
		file := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(file, []byte(word+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	s := storetest.Open(t, c.Config())
	obj := put(t, s, tenant("acme"))
	if got, err := s.Get(ctx, obj.Head().Ref()); err != nil || got.Head().Revision != obj.Head().Revision {
		t.Errorf("got %+v, %v", got, err)
	}
	got, _ := watch(t, s, 0)
	eventually(t, "the first set", func() bool { return got.has(obj.Head().Ref(), obj.Head().Revision) })

	const unreachable = 3 * time.Second // all others get an answer, which may take a while on a busy machine
	for what, change := range map[string]struct {
		edit func(*store.EtcdConfig)
		want []string
	}{
		"wrong password": {func(e *store.EtcdConfig) { e.PasswordFile = password("wrong") }, []string{"log in to etcd at https://127.", "check store.etcd username and passwordFile"}},
		"empty password": {func(e *store.EtcdConfig) { e.PasswordFile = password("") }, []string{"passwordFile", "is empty"}},
		"no password":    {func(e *store.EtcdConfig) { e.Username, e.PasswordFile = "", "" }, []string{"check store.etcd username and passwordFile"}},
		"no permission":  {func(e *store.EtcdConfig) { e.Username, e.PasswordFile = "guest", password("guest") }, []string{"permission denied", `grant user "guest" read and write on the prefix /sluice/`}},
		"no client cert": {func(e *store.EtcdConfig) { e.CertFile, e.KeyFile, e.DialTimeout = "", "", unreachable }, []string{"no answer from etcd", "check"}},
		"no authority":   {func(e *store.EtcdConfig) { e.CAFile, e.DialTimeout = "", unreachable }, []string{"no answer from etcd", "certificate signed by unknown authority"}},
		"missing file":   {func(e *store.EtcdConfig) { e.CAFile = "/nowhere/ca.pem" }, []string{"read TLS files of store.etcd", "/nowhere/ca.pem"}},
	} {
		cfg := c.Config()
		e := *cfg.Etcd
		change.edit(&e)
		cfg.Etcd = &e
		cfg.Log = textLog(t.Output())
		s, err := store.Open(ctx, cfg)
		if err == nil {
			t.Errorf("%s: Open succeeded: %v", what, s.Close())
			continue
		}
		for _, want := range change.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nlacks %q", what, err, want)
			}
		}
	}
}

// etcd forgets the tokens of those who are logged in when it is restarted. A watch of a store
// that makes no other call is there again, too.
func TestWatchAfterARestartWithPassword(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, storetest.Options{Members: 1})
	c.RequirePassword(t, "/sluice/")
	cfg := c.Config()
	cfg.CallTimeout = time.Minute // to connect and log in again, on a busy machine
	s, other := storetest.Open(t, cfg), storetest.Open(t, cfg)
	before := put(t, other, tenant("before"))
	got, _ := watch(t, s, 0)
	eventually(t, "the first set", func() bool { return got.has(before.Head().Ref(), before.Head().Revision) })
	for round := range 2 {
		c.Kill(0)
		c.Restart(t, 0)
		after := put(t, other, tenant(fmt.Sprint("after", round)))
		eventually(t, "what was written after the restart", func() bool { return got.has(after.Head().Ref(), after.Head().Revision) })
	}
}

// A token that nobody shows any more lapses, and with it what streams were opened with: who watches
// later must not join one of them.
func TestWatchAfterTheTokenLapsed(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, storetest.Options{Members: 1, TokenSeconds: 2})
	c.RequirePassword(t, "/sluice/")
	s := storetest.Open(t, c.Config())
	first, _ := watch(t, s, 0)
	eventually(t, "the first set", func() bool { return first.count() == 1 })
	time.Sleep(12 * time.Second)
	second, _ := watch(t, s, 0)
	eventually(t, "the set of the second watch", func() bool { return second.count() > 0 })
	obj := put(t, s, tenant("acme"))
	for _, got := range []*seen{first, second} {
		eventually(t, "the object", func() bool { return got.has(obj.Head().Ref(), obj.Head().Revision) })
	}
}

func TestUnreachableClusterSaysWhatToCheck(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close() // its port now refuses connections
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	refusing, mute := "http://"+closed.Addr().String(), "http://"+silent.Addr().String()
	dir := t.TempDir()
	cfg := store.Config{DataDir: dir, Etcd: &store.EtcdConfig{Endpoints: []string{refusing, mute}, DialTimeout: 500 * time.Millisecond}, Log: textLog(t.Output())}
	began := time.Now()
	_, err = store.Open(t.Context(), cfg)
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("Open took %s", took)
	}
	for _, want := range []string{
		"no answer from etcd within 500ms", refusing + ": dial tcp", "connection refused",
		mute + ": accepts connections, but etcd does not answer", "check that etcd runs and has a leader", "store.etcd.endpoints",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v\nlacks %q", err, want)
		}
	}
	if !errors.Is(err, store.ErrUnavailable) {
		t.Error("it is not ErrUnavailable")
	}
	// The failed Open has given the data directory back.
	storetest.Open(t, store.Config{DataDir: dir, UnsafeNoFsync: true})

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Open(ctx, store.Config{Etcd: cfg.Etcd}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with a cancelled context: %v", err)
	}
}

func TestConfigErrorsNameTheKey(t *testing.T) {
	for want, cfg := range map[string]store.Config{
		"set dataDir":                         {},
		"endpoints is empty":                  {Etcd: &store.EtcdConfig{}},
		`endpoint "10.0.0.1:2379": write it`:  {Etcd: &store.EtcdConfig{Endpoints: []string{"10.0.0.1:2379"}}},
		"TLS files are given: write https://": {Etcd: &store.EtcdConfig{Endpoints: []string{"http://10.0.0.1:2379"}, CAFile: "ca.pem"}},
		"certFile and keyFile belong":         {Etcd: &store.EtcdConfig{Endpoints: []string{"https://10.0.0.1:2379"}, CertFile: "c.pem"}},
		"username and passwordFile belong":    {Etcd: &store.EtcdConfig{Endpoints: []string{"https://10.0.0.1:2379"}, Username: "x"}},
	} {
		if _, err := store.Open(t.Context(), cfg); !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// An etcd that was restored from a backup is at an earlier revision than the watches, which would
// wait in silence until it got there.
func TestWatchOfARestoredCluster(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, storetest.Options{Members: 1})
	s := storetest.Open(t, c.Config())
	put(t, s, tenant("kept"))
	c.Kill(0)
	kept := c.Keep(t, 0)
	c.Restart(t, 0)

	got, _ := watch(t, s, 0)
	notices, shared := s.Notices("test"), s.Shared("test")
	var posted wall
	values := make(chan []byte, 1)
	go func() { _ = notices.Watch(t.Context(), posted.set) }()
	go func() { _ = notices.Post(t.Context(), "one", values) }()
	var value atomic.Value
	go func() { _ = shared.Watch(t.Context(), func(v []byte, _ int64) { value.Store(string(v)) }) }()
	share := func(text string) {
		t.Helper()
		eventually(t, "the shared value is written", func() bool {
			ok, err := shared.Swap(t.Context(), []byte(text), 0)
			return err == nil && ok
		})
		eventually(t, "the shared value is seen", func() bool { return value.Load() == text })
	}
	for i := range 20 {
		put(t, s, tenant(fmt.Sprintf("lost-%d", i)))
	}
	values <- []byte("1")
	posted.await(t, "one=1")
	share("old")
	last := put(t, s, tenant("lost"))
	eventually(t, "the last object before", func() bool { return got.has(last.Head().Ref(), last.Head().Revision) })

	c.Kill(0)
	c.Restore(0, kept)
	c.Restart(t, 0)
	next := put(t, s, tenant("next"))
	eventually(t, "the first object after", func() bool { return got.has(next.Head().Ref(), next.Head().Revision) })
	if got.has(last.Head().Ref(), last.Head().Revision) {
		t.Error("an object that the backup lacks is still there")
	}
	values <- []byte("2")
	posted.await(t, "one=2")
	share("new")
}
