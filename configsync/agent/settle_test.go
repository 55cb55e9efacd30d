package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// edit changes a file of the current tree by hand and returns the hunks.
func (s *site) edit(path string, pairs ...string) []gateway.Hunk {
	s.t.Helper()
	digest := s.disk.current()
	file := filepath.Join(s.disk.tree(digest), filepath.FromSlash(path))
	b, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.NewReplacer(pairs...).Replace(string(b))), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return s.hunks()
}

func (s *site) hunks() (list []gateway.Hunk) {
	s.t.Helper()
	digest := s.disk.current()
	files, err := s.drifted(digest, s.disk.pristine(digest))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range files {
		list = append(list, f.Hunks...)
	}
	return list
}

func (s *site) file(path string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.disk.link(), filepath.FromSlash(path)))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

const serverFile = "servers/acme.a.test.conf"

// TestOverwrittenForAWhile: of two edits that are adopted one after the other the second is lost
// for as long as the first is alone, and not any longer.
func TestOverwrittenForAWhile(t *testing.T) {
	s := newSite(t, true)
	s.mustApply(s.tree("a.test", ""))
	both := s.tree("a.test", "proxy_read_timeout 7s;")
	edited := filepath.Join(s.disk.link(), filepath.FromSlash(serverFile))
	if err := os.WriteFile(edited, []byte(both.File(serverFile).Data), 0o644); err != nil {
		t.Fatal(err)
	}
	s.mustApply(s.tree("a.test", "proxy_read_timeout 9s;"))
	if len(s.overwritten) != 1 || s.overwritten[0].Path != serverFile {
		t.Errorf("the edit is lost and not reported: %+v", s.overwritten)
	}
	s.mustApply(s.tree("a.test", "proxy_read_timeout 10s;"))
	if len(s.overwritten) != 1 {
		t.Errorf("it is still lost: %+v", s.overwritten)
	}
	s.mustApply(both)
	if len(s.overwritten) != 0 {
		t.Errorf("the bundle has it, and it is reported as lost: %+v", s.overwritten)
	}
}

// TestCarry: an allowed edit goes on into the next bundle, another one does not.
func TestCarry(t *testing.T) {
	s := newSite(t, true)
	s.mustApply(s.tree("a.test", ""))
	hunks := s.edit(serverFile, "return 503;", "return 418;\n        default_type text/plain;")
	if len(hunks) != 2 {
		t.Fatalf("hunks %+v", hunks)
	}
	s.allowed = map[string]bool{hunks[1].ID: true}
	s.mustApply(s.tree("a.test", "proxy_read_timeout 7s;"))
	if got := s.file(serverFile); !strings.Contains(got, hunks[1].New) || strings.Contains(got, hunks[0].New) || !strings.Contains(got, "proxy_read_timeout 7s;") {
		t.Errorf("after the bundle %+v:\n%s", hunks, got)
	}
	if left := s.hunks(); len(left) != 1 || left[0].ID != hunks[1].ID {
		t.Errorf("hunks %+v", left)
	}
	if len(s.overwritten) != 1 {
		t.Errorf("the other edit is lost and not reported: %+v", s.overwritten)
	}
}

// TestCarryConflict: what has no place in the new bundle, or what nginx refuses in it, is left
// behind and reported.
func TestCarryConflict(t *testing.T) {
	s := newSite(t, true)
	s.mustApply(s.tree("a.test", ""))
	hunks := s.edit(serverFile, "return 503;", "return 418;")
	s.allowed = map[string]bool{hunks[0].ID: true}
	s.mustApply(s.tree("b.test", ""))
	if len(s.overwritten) != 1 || len(s.hunks()) != 0 {
		t.Errorf("overwritten %+v, hunks %+v", s.overwritten, s.hunks())
	}
	s.overwritten = nil
	hunks = s.edit("servers/acme.b.test.conf", "return 503;", "return 503;\n        proxy_read_timeout 1s;\n        bad_directive on;")
	s.allowed = map[string]bool{}
	for _, h := range hunks {
		s.allowed[h.ID] = true
	}
	s.mustApply(s.tree("b.test", "proxy_connect_timeout 7s;", "127.0.0.1:1"))
	if len(s.overwritten) != 1 || len(s.hunks()) != 0 {
		t.Errorf("overwritten %+v, hunks %+v", s.overwritten, s.hunks())
	}
}

// TestOwner: who edited is told as far as the machine knows.
func TestOwner(t *testing.T) {
	dir := t.TempDir()
	conf, log := filepath.Join(dir, "shop.conf"), filepath.Join(dir, "auth.log")
	if err := os.WriteFile(conf, []byte("a;"), 0o644); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(conf, at, at); err != nil {
		t.Fatal(err)
	}
	missing := func(context.Context, string, ...string) ([]byte, error) { return nil, errors.New("not installed") }
	who := func(_ context.Context, name string, _ ...string) ([]byte, error) {
		if name == "last" {
			return []byte("bob      pts/0        10.1.1.9         Sat Nov 21 02:50   still logged in\nreboot   system boot  6.1.0 Sat Nov 21 02:00\n\nwtmp begins Sat Nov 1\n"), nil
		}
		return nil, errors.New("no journal files")
	}
	for _, c := range []struct {
		name, log string
		run       func(context.Context, string, ...string) ([]byte, error)
		want      string
	}{
		{"nothing is known", "", missing, unknownOwner},
		{"rsyslog of today", "2026-11-21T03:03:59.5+00:00 h sudo:    alice : TTY=pts/0 ; PWD=/etc ; USER=root ; COMMAND=/usr/bin/vim servers/shop.conf\n", missing, "sudo: alice: /usr/bin/vim servers/shop.conf"},
		{"rsyslog of old", "Nov 21 03:03:59 h sudo[77]:    alice : TTY=pts/0 ; PWD=/etc ; USER=root ; COMMAND=/usr/bin/vim servers/shop.conf\n", missing, "sudo: alice: /usr/bin/vim servers/shop.conf"},
		{"another time", "Nov 20 03:03:59 h sudo[77]:    alice : TTY=pts/0 ; PWD=/etc ; USER=root ; COMMAND=/usr/bin/vim servers/shop.conf\n", missing, unknownOwner},
		{"another command", "Nov 21 03:03:59 h sudo:    alice : TTY=pts/0 ; PWD=/etc ; USER=root ; COMMAND=/bin/login --password x\n", who, "sudo at that time: alice: /bin/login; logged in: bob (pts/0 from 10.1.1.9)"},
		{"no sudo", "Nov 21 03:03:59 h sshd[1]: Accepted publickey for bob\n", who, "logged in: bob (pts/0 from 10.1.1.9)"},
	} {
		if err := os.WriteFile(log, []byte(c.log), 0o600); err != nil {
			t.Fatal(err)
		}
		o := owners{logs: hostLogs{authLog: log, run: c.run}}
		got := o.fill(context.Background(), []gateway.FileDrift{{Path: "shop.conf"}, {Path: "gone.conf"}}, func(path string) string { return filepath.Join(dir, path) })
		if got[0].Owner == nil || got[0].Owner.Hint != c.want || !got[0].Owner.Modified.Equal(at) || got[0].Owner.UID != os.Getuid() || got[1].Owner != nil {
			t.Errorf("%s: got %+v, want the hint %q", c.name, got[0].Owner, c.want)
		}
	}
}

// TestNoSecrets: neither reports nor uploads ever hold a private key.
func TestNoSecrets(t *testing.T) {
	const key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n"
	d := fileDrift("certs/a.key", "modified", key, strings.Replace(key, "MHcC", "MHcD", 1), nil)
	text := d.Diff
	for _, h := range d.Hunks {
		text += h.Old + h.New
	}
	if strings.Contains(text, "MHc") || len(d.Hunks) != 1 {
		t.Errorf("%+v", d)
	}
	tree := uploadTree([]loadedFile{{path: "/etc/nginx/inline.conf", data: []byte("a '" + key + "';")}, {path: "/etc/nginx/private.conf", data: []byte("password x;"), private: true}, {path: "/etc/nginx/open.conf", data: []byte("a;")}}, "/t/current", "f")
	for _, f := range tree.Files[:2] {
		if !f.Hidden || !nginxconf.IsHidden(string(f.Data)) || strings.Contains(string(f.Data), "MHc") || strings.Contains(string(f.Data), "password") {
			t.Errorf("%s: %q", f.Path, f.Data)
		}
	}
	if string(tree.Files[2].Data) != "a;" {
		t.Errorf("%q", tree.Files[2].Data)
	}
}
