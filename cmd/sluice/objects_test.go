package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// fileSet is the objects of one node on a store that others have, too.
type fileSet struct {
	*objectFiles
	t    *testing.T
	file string
}

func newFileSet(t *testing.T, s *store.Store, owner string) *fileSet {
	t.Helper()
	f := &fileSet{t: t, file: filepath.Join(t.TempDir(), "objects.yaml")}
	f.objectFiles = &objectFiles{paths: []string{f.file}, store: s, log: slog.New(slog.DiscardHandler), owner: owner}
	f.names()
	return f
}

// names makes the files hold tenants of these names, and applies them.
func (f *fileSet) names(tenants ...string) {
	f.t.Helper()
	var docs []string
	for _, name := range tenants {
		docs = append(docs, fmt.Sprintf("kind: Tenant\nname: %s\nspec: {hosts: [%s.example.com]}\n", name, name))
	}
	if err := os.WriteFile(f.file, []byte(strings.Join(docs, "---\n")), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := f.apply(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

func tenantNames(t *testing.T, s *store.Store) string {
	t.Helper()
	list, _, err := s.List(t.Context(), gateway.KindTenant, "")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range list {
		names = append(names, o.Head().Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// A node deletes what its own files do not name any more, and never what came from another
// node's, by API, or from before sets had owners. Nodes that share files share an owner.
func TestFilesOfSeveralNodes(t *testing.T) {
	s := storetest.OpenTemp(t)
	put := func(actor, name string) {
		t.Helper()
		o := &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: name}, Spec: gateway.TenantSpec{Hosts: []string{name + ".example.com"}}}
		if _, err := s.Put(t.Context(), o, store.Write{Actor: actor}); err != nil {
			t.Fatal(err)
		}
	}
	put("alice", "hers")
	put("objects", "old")
	one, two := newFileSet(t, s, "edge-1"), newFileSet(t, s, "edge-2")
	sharedA, sharedB := newFileSet(t, s, "shop"), newFileSet(t, s, "shop")
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { one.names("a", "both") }, "a both hers old"},
		{func() { two.names("b", "both") }, "a b both hers old"},
		{func() { two.names() }, "a both hers old"},
		{func() { one.names("a") }, "a hers old"},
		{func() { sharedA.names("s1", "s2"); sharedB.names("s1", "s2") }, "a hers old s1 s2"},
		{func() { sharedB.names("s1") }, "a hers old s1"},
		{func() { sharedA.names("s1") }, "a hers old s1"},
		{func() { newFileSet(t, s, "edge-3") }, "a hers old s1"}, // a node without objects
	} {
		step.do()
		if got := tenantNames(t, s); got != step.want {
			t.Fatalf("got %q, want %q", got, step.want)
		}
	}
	// A store of one's own: the node may have had another name, or an older version.
	alone := newFileSet(t, s, "renamed")
	alone.alone = true
	alone.names("a")
	if got := tenantNames(t, s); got != "a hers" {
		t.Errorf("alone: %q", got)
	}
}

// Files that never rest are not applied, and somebody is told; once they rest, that is over.
func TestRestlessFiles(t *testing.T) {
	s := storetest.OpenTemp(t)
	f := newFileSet(t, s, "a")
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = f.Run(ctx) })
	defer run.Wait()
	defer cancel()
	code := func() string {
		for _, p := range f.Problems() {
			return p.Code
		}
		return ""
	}
	for end := time.Now().Add(3 * restless); code() == "" && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		file, err := os.OpenFile(f.file, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString("# another line\n"); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := code(); got != "files_changing" {
		t.Fatalf("files that never rest: problem %q", got)
	}
	if err := os.WriteFile(f.file, []byte("kind: Tenant\nname: late\nspec: {hosts: [late.example.com]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); code() != "" || tenantNames(t, s) != "late"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("files that rest: problem %q, tenants %q", code(), tenantNames(t, s))
		}
	}
}

// run runs the set until the end of the test.
func (f *fileSet) run() {
	ctx, cancel := context.WithCancel(f.t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = f.Run(ctx) })
	f.t.Cleanup(func() { cancel(); run.Wait() })
}

func (f *fileSet) await(s *store.Store, want string) {
	f.t.Helper()
	for end := time.Now().Add(time.Minute); tenantNames(f.t, s) != want || len(f.Problems()) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("tenants %q, problems %v; want %q", tenantNames(f.t, s), f.Problems(), want)
		}
	}
}

// A file that can be read again is as new and as large as before: nothing tells but another try.
func TestFilesThatCanBeReadAgain(t *testing.T) {
	s := storetest.OpenTemp(t)
	f := newFileSet(t, s, "a")
	if err := os.WriteFile(f.file, []byte("kind: Tenant\nname: back\nspec: {hosts: [back.example.com]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Of a file that belongs to somebody else, whoever the tests run as: a process's own memory can
	// be looked at, and not read from its beginning.
	f.paths = append(f.paths, "/proc/self/mem")
	if err := f.apply(t.Context()); err == nil {
		t.Fatal("what can not be read was applied")
	}
	f.paths = f.paths[:1]
	f.run()
	f.await(s, "back")
}
