package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway/certtest"
	"github.com/sluice-gateway/sluice/test/freeport"
)

func (s *site) agent() *agent {
	return &agent{cfg: s.cfg, disk: s.disk, nginx: s.nginx, applier: s.applier, loads: readLoads(s.disk.loads())}
}

// put writes a file of the current tree; nil removes it.
func (s *site) put(path string, data []byte) {
	s.t.Helper()
	file := filepath.Join(s.disk.link(), filepath.FromSlash(path))
	err := os.Remove(file)
	if data != nil {
		err = os.WriteFile(file, data, 0o644)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestRevert: files come back byte for byte, whether they were changed, added or removed, and
// the edits that nobody asked for stay.
func TestRevert(t *testing.T) {
	s := newSite(t, true)
	s.mustApply(s.tree("a.test", ""))
	digest, a := s.disk.current(), s.agent()
	all := func() (ids []string) {
		for _, h := range s.hunks() {
			ids = append(ids, h.ID)
		}
		return ids
	}
	s.put("servers/mine.conf", []byte("server { listen unix:"+s.Dir+"/mine; }\n"))
	s.put("servers/acme.a.test.conf", nil)
	s.put("base/common.conf", []byte("# mine\n"+s.file("base/common.conf")))
	ids := all()
	a.settle(context.Background(), protocol.Settle{Revert: ids})
	if left := s.hunks(); len(ids) < 3 || len(left) != 0 {
		t.Errorf("of %v are left %+v, %+v", ids, left, a.results)
	}
	if list, err := s.disk.drift(s.disk.tree(digest), s.disk.pristine(digest), nil); err != nil || len(list) != 0 {
		t.Errorf("%v, the tree differs: %+v", err, list)
	}
	if len(a.results) != len(ids) || a.results[0].Error != "" {
		t.Errorf("results %+v", a.results)
	}

	if err := os.RemoveAll(filepath.Join(s.disk.tree(digest), "servers")); err != nil {
		t.Fatal(err)
	}
	ids = all()
	a.settle(context.Background(), protocol.Settle{Revert: ids})
	if left := s.hunks(); len(ids) == 0 || len(left) != 0 {
		t.Errorf("a folder was removed: of %v are left %+v, %+v", ids, left, a.results)
	}

	hunks := s.edit(serverFile, "return 503;", "return 418;\n        default_type text/plain;")
	a.settle(context.Background(), protocol.Settle{Revert: []string{hunks[0].ID, "ffffffffffff"}})
	if left := s.hunks(); len(left) != 1 || left[0].ID != hunks[1].ID {
		t.Errorf("left %+v", left)
	}
}

// TestRevertRefused: where nginx does not accept the file without the edit, everything stays as
// it was, and the report says why.
func TestRevertRefused(t *testing.T) {
	s := newSite(t, true)
	s.mustApply(s.tree("a.test", ""))
	a := s.agent()
	hunks := s.edit(serverFile, "server_name a.test;", "server_name b.test;")
	s.put("servers/mine.conf", []byte("broken"))
	a.settle(context.Background(), protocol.Settle{Revert: []string{hunks[0].ID}})
	if !strings.Contains(s.file(serverFile), "server_name b.test;") {
		t.Errorf("the file was changed:\n%s", s.file(serverFile))
	}
	if len(a.results) != 1 || !strings.Contains(a.results[0].Error, "servers/mine.conf") || a.results[0].Hunk != hunks[0].ID {
		t.Errorf("results %+v", a.results)
	}
}

// TestForeign: only files that nginx loads, that are not ours and that are still as they were
// when people decided are written; their mode stays.
func TestForeign(t *testing.T) {
	s := newSite(t, true)
	s.mustApply(s.tree("a.test", ""))
	a := s.agent()
	conf, err := os.ReadFile(s.Conf)
	if err == nil {
		err = os.Chmod(s.Conf, 0o640)
	}
	if err != nil {
		t.Fatal(err)
	}
	sum := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	wanted := []byte(strings.Replace(string(conf), "access_log off;", "access_log off;\n    gzip on;", 1))
	ours := filepath.Join(s.disk.link(), serverFile)
	for _, c := range []struct {
		file protocol.SettleFile
		want string
	}{
		{protocol.SettleFile{Path: "/etc/passwd", Have: sum(nil), Data: []byte("x"), Hunks: []string{"1"}}, "not a file outside"},
		{protocol.SettleFile{Path: ours, Have: sum([]byte(s.file(serverFile))), Data: []byte("x"), Hunks: []string{"2"}}, "not a file outside"},
		{protocol.SettleFile{Path: s.Conf, Have: sum([]byte("older")), Data: wanted, Hunks: []string{"3"}}, "changed again"},
		{protocol.SettleFile{Path: s.Conf, Have: sum(conf), Data: []byte("broken"), Hunks: []string{"4"}}, "nginx refuses"},
		{protocol.SettleFile{Path: s.Conf, Have: sum(conf), Data: wanted, Hunks: []string{"5"}}, ""},
	} {
		a.results = nil
		a.settle(context.Background(), protocol.Settle{Files: []protocol.SettleFile{c.file}})
		if len(a.results) != 1 || a.results[0].Hunk != c.file.Hunks[0] || (a.results[0].Error == "") != (c.want == "") || !strings.Contains(a.results[0].Error, c.want) {
			t.Errorf("%+v: results %+v, want %q", c.file.Hunks, a.results, c.want)
		}
		is, err := os.ReadFile(s.Conf)
		if err != nil || (string(is) == string(conf)) != (c.want != "") {
			t.Errorf("%v: nginx.conf is %v\n%s", c.file.Hunks, err, is)
		}
	}
	if info, err := os.Stat(s.Conf); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v %v", info.Mode(), err)
	}
	s.restartable()
}

// TestRevertKey: a private key comes back as a whole, for its owner's eyes only, whatever was
// done to it.
func TestRevertKey(t *testing.T) {
	s := newSite(t, true)
	ca := certtest.NewCA(t, "ca", time.Now())
	pair, other := ca.Issue(t, time.Now(), "shop.test"), ca.Issue(t, time.Now(), "shop.test")
	s.mustApply(s.secureTree(freeport.Address(t), pair))
	a := s.agent()
	key := filepath.Join(s.disk.link(), "certs", "acme.shop.key")
	for name, damage := range map[string]func() error{
		"removed":        func() error { return os.Remove(key) },
		"mode":           func() error { return os.Chmod(key, 0o644) },
		"another":        func() error { return os.WriteFile(key, []byte(other.Key), 0o600) },
		"another's mode": func() error { return errors.Join(os.WriteFile(key, []byte("x"), 0o600), os.Chmod(key, 0o666)) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, h := range s.hunks() {
			ids = append(ids, h.ID)
		}
		a.settle(context.Background(), protocol.Settle{Revert: ids})
		if left := s.hunks(); len(ids) == 0 || len(left) != 0 {
			t.Errorf("%s: of %v are left %+v, %+v", name, ids, left, a.results)
		}
		if info, err := os.Stat(key); err != nil {
			t.Fatalf("%s: %v", name, err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", name, info.Mode())
		}
	}
}

// TestRevertMain: in mode full, what somebody has put in the place of the link to nginx.conf is an
// edit like any other, and the link comes back.
func TestRevertMain(t *testing.T) {
	s := newSite(t, true)
	own, err := os.ReadFile(s.Conf)
	if err != nil {
		t.Fatal(err)
	}
	tree := s.tree("a.test", "")
	tree.Files = append(tree.Files, nginxconf.File{Path: nginxconf.MainFile, Data: string(own)})
	slices.SortFunc(tree.Files, func(a, b nginxconf.File) int { return strings.Compare(a.Path, b.Path) })
	tree.Seal()
	s.mustApply(tree)
	a := s.agent()
	if !s.nginx.owned(s.disk) || len(s.hunks()) != 0 {
		t.Fatalf("nginx.conf is no link, or has %+v", s.hunks())
	}
	edited := strings.Replace(string(own), "worker_connections", "multi_accept on; worker_connections", 1)
	if err := errors.Join(os.Remove(s.Conf), os.WriteFile(s.Conf, []byte(edited), 0o644)); err != nil {
		t.Fatal(err)
	}
	hunks := s.hunks()
	if len(hunks) != 1 || hunks[0].Path != nginxconf.MainFile || hunks[0].Directive != "multi_accept" {
		t.Fatalf("hunks %+v", hunks)
	}
	a.settle(context.Background(), protocol.Settle{Revert: []string{hunks[0].ID}})
	if left := s.hunks(); len(left) != 0 || !s.nginx.owned(s.disk) {
		t.Errorf("left %+v, results %+v, owned %v", left, a.results, s.nginx.owned(s.disk))
	}
	s.restartable()
	s.runs(tree.Digest)
}
