package names

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/test/knottest"
)

const zone = `$TTL 60
@ SOA ns admin 1 60 60 600 60
@ NS ns
ns A 127.0.0.1
taken.shop.svc A 203.0.113.9
mail.shop.svc MX 10 ns
`

// primary is a real name server with an updater for it.
func primary(t *testing.T) (*knottest.Server, *Updater) {
	t.Helper()
	s := knottest.Start(t, map[string]string{"example.test.": zone})
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(knottest.Key.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, &Updater{Server: s.Addr, Zone: "example.test", Owner: "edge",
		TSIG: &TSIG{Name: knottest.Key.Name, Algorithm: knottest.Key.Algorithm, SecretFile: file}}
}

// has reads what the zone has below svc, without the end of the names.
func has(t *testing.T, s *knottest.Server) string {
	t.Helper()
	var out []string
	for line := range strings.Lines(s.Control(t, "zone-read", "example.test.")) {
		f := strings.Fields(strings.TrimPrefix(line, "[example.test.]"))
		if len(f) > 3 && strings.Contains(f[0], ".svc.") {
			out = append(out, strings.TrimSuffix(f[0], ".shop.svc.example.test.")+" "+strings.Join(f[2:], " "))
		}
	}
	sort.Strings(out)
	return strings.Join(out, "\n")
}

const foreign = "mail MX 10 ns.example.test.\ntaken A 203.0.113.9"

// with adds lines to those of others.
func with(lines ...string) string {
	lines = append(lines, strings.Split(foreign, "\n")...)
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

const owned = `TXT "heritage=sluice,owner=edge"`

// The life of a name in a real zone: one update when it appears, none while it stays or anybody
// restarts, one when it leaves; nothing of others is touched.
func TestOneUpdateEach(t *testing.T) {
	server, updater := primary(t)
	state := &memory{}
	cfg := defaults(t, updater, state)
	begin := server.Serial(t, "example.test.")
	updates := func(want uint32, what string) {
		t.Helper()
		if got := server.Serial(t, "example.test.") - begin; got != want {
			t.Errorf("%d updates %s, want %d", got, what, want)
		}
	}
	k, stop := keep(t, cfg)
	k.Apply(snapshot("api"))
	until(t, k, "announced", func(s Status) bool { return s.Announced == 1 })
	updates(1, "after create")
	want := with("api A 192.0.2.1", "api AAAA 2001:db8::1", "_sluice.api "+owned)
	if got := has(t, server); got != want {
		t.Errorf("the zone has\n%s\nwant\n%s", got, want)
	}
	k.Apply(snapshot("api")) // again, as after each change of endpoints
	stop()
	k, stop = keep(t, cfg) // a restart
	k.Apply(snapshot("api"))
	until(t, k, "announced", func(s Status) bool { return s.Announced == 1 })
	stop()
	cfg.State = &memory{} // a restart that lost its state
	k, stop = keep(t, cfg)
	k.Apply(snapshot("api"))
	until(t, k, "announced", func(s Status) bool { return s.Announced == 1 })
	updates(1, "after restarts")

	stop()
	cfg.Target = vips("192.0.2.2") // other addresses
	k, stop = keep(t, cfg)
	k.Apply(snapshot("api"))
	until(t, k, "announced", func(s Status) bool { return s.Announced == 1 && s.Pending == 0 })
	updates(2, "after other addresses")
	if got, want := has(t, server), with("api A 192.0.2.2", "_sluice.api "+owned); got != want {
		t.Errorf("the zone has\n%s\nwant\n%s", got, want)
	}
	k.Apply(snapshot())
	until(t, k, "withdrawn", func(s Status) bool { return s == Status{Leading: true} })
	updates(3, "after delete")
	if got := has(t, server); got != foreign {
		t.Errorf("the zone has\n%s\nwant\n%s", got, foreign)
	}
	stop()
	t.Logf("figure dns_updates create 1 change 0 delete 1 (and 1 for other addresses)")
}

// A name that somebody else has is left alone when it is announced, and when it is withdrawn.
func TestForeignNames(t *testing.T) {
	server, updater := primary(t)
	begin := server.Serial(t, "example.test.")
	k, _ := keep(t, defaults(t, updater, &memory{}))
	k.Apply(snapshot("taken", "mail"))
	until(t, k, "both refused", func(s Status) bool { return s.Failing == 2 })
	if p := k.Problems(); len(p) != 2 || p[0].Code != "name_foreign" || p[0].Object.Name != "mail" ||
		!strings.Contains(p[1].Message, `taken.shop.svc.example.test is in zone example.test without a record at _sluice.taken.shop.svc.example.test that names owner "edge"`) {
		t.Errorf("problems %+v", p)
	}
	k.Apply(snapshot())
	until(t, k, "forgotten", func(s Status) bool { return s == Status{Leading: true} })
	if got := has(t, server); got != foreign || server.Serial(t, "example.test.") != begin {
		t.Errorf("serial from %d to %d, the zone has\n%s", begin, server.Serial(t, "example.test."), got)
	}

	// Another Sluice on the same zone is somebody else too.
	other := *updater
	other.Owner = "other"
	r := Record{Host: "api.shop.svc.example.test", Target: vips("192.0.2.7")}
	if err := other.Announce(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	k.Apply(snapshot("api"))
	until(t, k, "refused", func(s Status) bool { return s.Failing == 1 })
	if err := updater.Withdraw(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got, want := has(t, server), with("api A 192.0.2.7", `_sluice.api TXT "heritage=sluice,owner=other"`); got != want {
		t.Errorf("the zone has\n%s\nwant\n%s", got, want)
	}
}

// A server that is down gets its update when it is back, and exactly one.
func TestServerDown(t *testing.T) {
	server, updater := primary(t)
	begin := server.Serial(t, "example.test.")
	server.Stop(t)
	k, _ := keep(t, defaults(t, updater, &memory{}))
	k.Apply(snapshot("api"))
	until(t, k, "failing", func(s Status) bool { return s.Failing == 1 && strings.Contains(s.Error, server.Addr) })
	if p := k.Problems(); len(p) != 1 || p[0].Code != "name_unannounced" || p[0].Object.Name != "api" {
		t.Errorf("problems %+v", p)
	}
	server.Restart(t)
	until(t, k, "announced", func(s Status) bool { return s == Status{Leading: true, Announced: 1} })
	if got := server.Serial(t, "example.test.") - begin; got != 1 {
		t.Errorf("%d updates, want 1", got)
	}
}

// Aliases, times to live, and records of other types that others put at our names.
func TestTargets(t *testing.T) {
	server, updater := primary(t)
	r := Record{Host: "api.shop.svc.example.test", Target: Target{CNAME: "edge.example.net", TTL: 60e9}}
	announce := func(want ...string) {
		t.Helper()
		for range 2 { // the second time changes nothing
			if err := updater.Announce(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if got := has(t, server); got != with(append(want, "_sluice.api "+owned)...) {
			t.Errorf("the zone has\n%s", got)
		}
	}
	begin := server.Serial(t, "example.test.")
	announce("api CNAME edge.example.net.")
	r.Target = vips("192.0.2.1", "2001:db8::1")
	announce("api A 192.0.2.1", "api AAAA 2001:db8::1")
	r.Target = vips("2001:db8::1")
	announce("api AAAA 2001:db8::1")
	r.Target.TTL *= 2
	announce("api AAAA 2001:db8::1")
	if got := server.Serial(t, "example.test.") - begin; got != 4 {
		t.Errorf("%d updates, want 4", got)
	}
	server.Control(t, "zone-begin", "example.test.")
	server.Control(t, "zone-set", "example.test.", "api.shop.svc", "60", "TXT", `"a note"`)
	server.Control(t, "zone-commit", "example.test.")
	if err := updater.Withdraw(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got, want := has(t, server), with(`api TXT "a note"`); got != want {
		t.Errorf("the zone has\n%s\nwant\n%s", got, want)
	}
}

// What the server has against an update is said in words.
func TestUpdateErrors(t *testing.T) {
	_, good := primary(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name string
		edit func(*Updater, *TSIG)
		says string
	}{
		{"another secret", func(_ *Updater, k *TSIG) { k.SecretFile = file("other", "b3RoZXI=") }, "the TSIG secrets differ"},
		{"an unknown key", func(_ *Updater, k *TSIG) { k.Name = "stranger" }, "does not know the TSIG key by this name and algorithm"},
		{"another algorithm", func(_ *Updater, k *TSIG) { k.Algorithm = "hmac-sha512" }, "does not know the TSIG key by this name and algorithm"},
		{"no key", func(u *Updater, _ *TSIG) { u.TSIG = nil }, "see that it is the primary of the zone and allows updates with this key"},
		{"another zone", func(u *Updater, _ *TSIG) { u.Zone = "example.com" }, "update zone example.com at "},
		{"no secret", func(_ *Updater, k *TSIG) { k.SecretFile = filepath.Join(dir, "none") }, "read the TSIG secret: "},
		{"a secret that is none", func(_ *Updater, k *TSIG) { k.SecretFile = file("bad", "???") }, "is not base64"},
	} {
		u, key := *good, *good.TSIG
		u.TSIG = &key
		c.edit(&u, &key)
		err := u.Announce(t.Context(), Record{Host: "api.shop.svc.example.test", Target: vips("192.0.2.1")})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}
