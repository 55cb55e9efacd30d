package agent

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// altered is a copy of a tree with other text in one file.
func altered(t *testing.T, tree *nginxconf.Tree, file, old, fresh string) *nginxconf.Tree {
	t.Helper()
	b, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	copied := &nginxconf.Tree{}
	if err := json.Unmarshal(b, copied); err != nil {
		t.Fatal(err)
	}
	f := copied.File(file)
	if f == nil || !strings.Contains(f.Data, old) {
		t.Fatalf("no %q in %s", old, file)
	}
	f.Data = strings.Replace(f.Data, old, fresh, 1)
	copied.Seal()
	if err := copied.Verify(); err != nil || copied.Digest == tree.Digest {
		t.Fatalf("digest %s: %v", copied.Digest, err)
	}
	return copied
}

// TestReloadIsSpared: nginx is not reloaded for comments and white space, the proof that it
// runs the bundle holds, and anything else is loaded.
func TestReloadIsSpared(t *testing.T) {
	s := newSite(t, true)
	loaded := true
	s.loaded = func() bool { return loaded }
	const file = "servers/acme.a.test.conf"
	first := s.tree("a.test", "")
	s.mustApply(first)
	worker := func() int { // that takes connections; the one before may still be ending
		t.Helper()
		accepting, _ := s.nginx.workers()
		if len(accepting) != 1 {
			t.Fatalf("%d workers", len(accepting))
		}
		return accepting[0].pid
	}
	began := worker()
	expect := func(what string, tree *nginxconf.Tree, spared bool) {
		t.Helper()
		before, was := s.reloads, worker()
		if f := s.apply(context.Background(), tree); f != nil {
			t.Fatalf("%s: %+v", what, f)
		}
		digest, _, err := s.running(context.Background())
		if err != nil || digest != tree.Digest || s.disk.current() != tree.Digest {
			t.Errorf("%s: nginx runs %q: %v", what, digest, err)
		}
		if (s.reloads == before) != spared || (worker() == was) != spared {
			t.Errorf("%s: %d reloads, worker %d and then %d", what, s.reloads-before, was, worker())
		}
		s.restartable()
	}
	comment := altered(t, first, file, "server {", "# new\nserver  {")
	expect("a comment", comment, true)
	twice := altered(t, comment, file, "# new", "# newer")
	expect("another comment", twice, true)
	if answer, err := s.nginx.running(context.Background()); err != nil || answer != first.Digest || worker() != began {
		t.Errorf("workers answer %q: %v", answer, err)
	}
	expect("back to the first", first, true)
	expect("a word", altered(t, first, file, "server_name a.test", "server_name A.test"), false)
	expect("quotes, to be on the safe side", altered(t, first, file, "server_name a.test", `server_name "a.test"`), false)
	s.mustApply(first)
	loaded = false // somebody has edited something
	expect("a comment beside an edit by hand", comment, false)
	loaded = true
	expect("without the comment", first, true)
	expect("the comment", comment, true)
	s.Stop()
	s.Start(t)
	s.eventuallyRuns(comment.Digest) // a start loads it, and the note is not needed any more
}

func TestStretch(t *testing.T) {
	now := time.Unix(1e9, 0)
	var d debt
	accepting := []worker{{pid: 1, start: 1}, {pid: 2, start: 1}}
	var draining []worker
	want := map[int]time.Duration{0: 1, 4: 1, 5: 2, 6: 2, 8: 4, 10: 8, 20: 8}
	for n := range 21 {
		d.see(accepting, draining, now.Add(time.Duration(n)*time.Second))
		if w, ok := want[n]; ok && d.stretch() != w {
			t.Errorf("%d draining workers of 2 stretch %d times, want %d", n, d.stretch(), w)
		}
		draining = append(draining, worker{pid: 100 + n, start: 5})
	}
	if got := d.oldest(); !got.Equal(now.Add(time.Second)) {
		t.Errorf("the oldest drains since %s", got)
	}
	if d.see(accepting, draining[:20], now) {
		t.Error("the same workers are news")
	}
	if !d.see(accepting, nil, now) || d.stretch() != 1 || !d.oldest().IsZero() {
		t.Error("paid back, and still stretched")
	}
}
