package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestContents: a file that somebody touched is read again, however they did it, and one that
// nobody did is not.
func TestContents(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.conf")
	old := time.Now().Add(-time.Hour)
	put := func(text string, at time.Time) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err == nil {
			err = f.Close()
		}
		if err == nil && !at.IsZero() {
			err = os.Chtimes(path, at, at)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := newContents()
	expect := func(what, want string) []byte {
		t.Helper()
		got, err := c.read(path)
		if err != nil || string(got.data) != want {
			t.Errorf("%s: read %q, %v, want %q", what, got.data, err, want)
		}
		return got.data
	}
	shared := func(a, b []byte) bool { return &a[0] == &b[0] }
	put("one;", old)
	first := expect("first", "one;")
	if !shared(first, expect("again", "one;")) {
		t.Error("a file that nobody touched is read again")
	}
	c.turn()
	if !shared(first, expect("after a turn", "one;")) {
		t.Error("a file that was read in the last turn is read again")
	}
	c.turn()
	c.turn()
	if shared(first, expect("after two turns", "one;")) {
		t.Error("what nobody asks for is kept")
	}

	put("two;", time.Time{})
	expect("written in place, with the same size", "two;")
	for i := range 200 { // the clock of files stands still for some milliseconds
		text := fmt.Sprintf("%03d;", i)
		put(text, time.Time{})
		expect("many writes", text)
	}
	put("now;", old)
	expect("another time", "now;")
	put("hid;", old)
	c.forget(path)
	expect("the same time and size, but the watcher saw it", "hid;")
	put("deep", old)
	c.forget()
	expect("the same time and size, after a sweep", "deep")
	if err := os.WriteFile(path+".new", []byte("new;"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path+".new", old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	expect("another file with the same time and size", "new;")
	if err := os.Link(path, filepath.Join(dir, "b.conf")); err != nil {
		t.Fatal(err)
	}
	if got, err := c.read(filepath.Join(dir, "b.conf")); err != nil || !shared(got.data, expect("a second name", "new;")) {
		t.Errorf("a second name is read again: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := c.read(path); !os.IsNotExist(err) {
		t.Errorf("a file that is gone: %v", err)
	}
}

// TestGlobRemembers: files that come and go are seen at once.
func TestGlobRemembers(t *testing.T) {
	dir := t.TempDir()
	c := newContents()
	folder := filepath.Join(dir, "servers")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	settled := func() {
		t.Helper()
		old := time.Now().Add(-time.Hour)
		for _, d := range []string{dir, folder} {
			if err := os.Chtimes(d, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	var want []string
	for i := range 50 {
		if i%2 == 0 {
			settled()
		}
		path := filepath.Join(folder, fmt.Sprintf("%02d.conf", i))
		for _, name := range []string{path, filepath.Join(folder, fmt.Sprintf(".%02d.conf", i)), path + "~"} {
			if err := os.WriteFile(name, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, path)
		for range 2 {
			if got := c.glob(filepath.Join(dir, "*/*.conf")); !slices.Equal(got, want) {
				t.Fatalf("after %d files: %q", i+1, got)
			}
		}
		if got := c.glob(filepath.Join(dir, "*", "00.conf")); !slices.Equal(got, want[:1]) {
			t.Fatalf("a name below a wildcard: %q", got)
		}
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if got := c.glob(filepath.Join(dir, "*/*.conf")); len(got) > 0 {
		t.Errorf("in a folder that is gone: %q", got)
	}
	if got := c.glob("["); got != nil {
		t.Errorf("a malformed pattern: %q", got)
	}
}
