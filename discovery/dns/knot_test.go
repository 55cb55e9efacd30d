package dns

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/test/knottest"
)

// zone is a text with the SOA record and TTL that suit the tests: one second, so that the
// source comes back soon.
func zone(serial int, records string) string {
	return fmt.Sprintf("$TTL 1\n@ SOA ns.example.test. admin.example.test. %d 60 60 600 1\n@ NS ns\nns A 127.0.0.1\n%s", serial, records)
}

const services = `
web A 10.0.0.1
web A 10.0.0.2
web AAAA 2001:db8::1
four A 10.0.0.4
alias CNAME second
second CNAME web
empty TXT "no address here"
_http._tcp SRV 0 10 8080 one
_http._tcp SRV 0 30 8081 two
_http._tcp SRV 1 0 8082 one
one A 10.0.1.1
two A 10.0.1.2
two AAAA 2001:db8::2
_off._tcp SRV 0 0 0 .
_lost._tcp SRV 0 1 80 nobody
_lost._tcp SRV 0 1 80 one
`

func knot(t *testing.T, records string) (*knottest.Server, Config) {
	t.Helper()
	s := knottest.Start(t, map[string]string{"example.test.": zone(1, records)})
	return s, Config{Servers: []string{s.Addr}, Confirm: 20 * time.Millisecond}
}

// Each kind of name, as a real server answers for it.
func TestNames(t *testing.T) {
	_, cfg := knot(t, services)
	for _, c := range []struct {
		name string
		want gateway.DNSDiscover
		set  string
	}{
		{"both families", a("web.example.test", 80), "10.0.0.1:80 10.0.0.2:80 [2001:db8::1]:80"},
		{"one family", gateway.DNSDiscover{Name: "web.example.test", Type: "AAAA", Port: 80}, "[2001:db8::1]:80"},
		{"a name in capitals with a dot", a("WEB.Example.TEST.", 80), "10.0.0.1:80 10.0.0.2:80 [2001:db8::1]:80"},
		{"a name with addresses of one family only", a("four.example.test", 80), "10.0.0.4:80"},
		{"aliases", gateway.DNSDiscover{Name: "alias.example.test", Type: "A", Port: 81}, "10.0.0.1:81 10.0.0.2:81"},
		{"services, their weights shared by the addresses of a target", srv("_http._tcp.example.test"),
			"10.0.1.1:8080*20 10.0.1.1:8082^1 10.0.1.2:8081*30 [2001:db8::2]:8081*30"},
		{"a service that is switched off", srv("_off._tcp.example.test"), "absence declared"},
		{"a target without an address", srv("_lost._tcp.example.test"), "10.0.1.1:80 problem SRV target nobody.example.test. has no address (nxdomain)"},
		{"a name without addresses", a("empty.example.test", 80), "absence nodata"},
		{"no such name", a("nosuch.example.test", 80), "absence nxdomain"},
		{"no such service", srv("_no._tcp.example.test"), "absence nxdomain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := follow(t, cfg, c.want)
			f.expect(t, c.set)
			if s := f.Status(); !s.Up || s.Error != "" || s.LastEvent.IsZero() {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// What changes in the zone arrives after its TTL, and what does not is not sent again. A server
// that is gone takes nothing away.
func TestChanges(t *testing.T) {
	s, cfg := knot(t, services)
	f := follow(t, cfg, a("web.example.test", 80))
	f.expect(t, "10.0.0.1:80 10.0.0.2:80 [2001:db8::1]:80")
	s.Zone(t, "example.test.", zone(2, "web A 10.0.0.9\n"))
	f.expect(t, "10.0.0.9:80")
	s.Stop(t)
	status := f.status(t, "down", func(s discovery.SourceStatus) bool { return !s.Up })
	if !strings.Contains(status.Error, s.Addr) || !strings.Contains(status.Error, "web.example.test") {
		t.Errorf("the error %q names neither server nor name", status.Error)
	}
	f.quiet(t, time.Second)
	s.Restart(t)
	f.status(t, "up", func(s discovery.SourceStatus) bool { return s.Up })
	s.Zone(t, "example.test.", zone(3, ""))
	f.expect(t, "absence nxdomain")
	s.Zone(t, "example.test.", zone(4, "web A 10.0.0.8\n"))
	f.expect(t, "10.0.0.8:80")
}

// An answer that does not fit into a datagram comes over TCP.
func TestManyAddresses(t *testing.T) {
	var records strings.Builder
	var want []string
	for i := range 200 {
		fmt.Fprintf(&records, "many A 10.1.%d.%d\n", i/100, i%100+1)
		want = append(want, fmt.Sprintf("10.1.%d.%d:80", i/100, i%100+1))
	}
	_, cfg := knot(t, records.String())
	f := follow(t, cfg, gateway.DNSDiscover{Name: "many.example.test", Type: "A", Port: 80})
	got := f.next(t)
	if g, w := strings.Join(sorted(strings.Fields(got)), " "), strings.Join(sorted(want), " "); g != w {
		t.Errorf("got %d of 200: %s", len(strings.Fields(got)), got)
	}
}

// Two wants of one name share its lookups; a want that comes later gets its set at once, and
// one that comes back a fresh one.
func TestWants(t *testing.T) {
	_, cfg := knot(t, services)
	f := follow(t, cfg, a("web.example.test", 80))
	web := "10.0.0.1:80 10.0.0.2:80 [2001:db8::1]:80"
	f.expect(t, web)
	f.want(a("web.example.test", 80), a("WEB.example.test", 80), a("four.example.test", 80))
	f.expect(t, "10.0.0.4:80") // the other two have the same key, which is not new
	f.want()
	f.want(a("web.example.test", 80))
	f.expect(t, web)
}

// The search list and ndots of a resolv.conf count, and so does a change of the file.
func TestResolvConf(t *testing.T) {
	first, cfg := knot(t, services)
	second := knottest.Start(t, map[string]string{"other.test.": zone(1, "web.four A 10.0.0.7\n")})
	cfg.Servers, cfg.ResolvConf = nil, filepath.Join(t.TempDir(), "resolv.conf")
	write := func(lines ...string) {
		t.Helper()
		next := cfg.ResolvConf + ".new"
		if err := os.WriteFile(next, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, cfg.ResolvConf); err != nil {
			t.Fatal(err)
		}
	}
	write("search none.example.test example.test", "nameserver "+first.Addr)
	f := follow(t, cfg, gateway.DNSDiscover{Name: "web", Type: "A", Port: 80})
	f.expect(t, "10.0.0.1:80 10.0.0.2:80")
	f.want(a("web.", 80))
	f.status(t, "down: the server refuses what is not in its zone", func(s discovery.SourceStatus) bool { return !s.Up })
	// With ndots:2, a name with one dot is looked for below the search list first.
	write("search other.test", "options ndots:2", "nameserver "+second.Addr)
	f.want(a("web.four", 80))
	f.expect(t, "10.0.0.7:80")
}
