package e2e

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/knottest"
)

// SRV records of a real name server reach traffic, follow a change, and stay when the server
// is gone.
func TestDNSToTraffic(t *testing.T) {
	at := map[string]string{"one": backend(t, "one", ""), "two": backend(t, "two", "")}
	serial := 0
	zone := func(to string) string {
		serial++
		host, port, err := net.SplitHostPort(at[to])
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("$TTL 1\n@ SOA ns a %d 60 60 600 1\n@ NS ns\nns A 127.0.0.1\n_http._tcp SRV 0 1 %s host\nhost A %s\n", serial, port, host)
	}
	server := knottest.Start(t, map[string]string{"office.test.": zone("one")})
	s := configure(t, fmt.Sprintf("dns: [{name: office, servers: [%q]}]\nobjects: [%s]\n", server.Addr,
		objectFile(t, fmt.Sprintf(discovered, "{dns: {name: _http._tcp.office.test, type: SRV, resolver: office}}"))))
	s.start()
	answered := func(by string) {
		t.Helper()
		until(t, 60*time.Second, "request on "+by, func() error {
			if name, status := s.answeredBy("shop.example.com"); name != by || status != 200 {
				return fmt.Errorf("answered by %q with %d", name, status)
			}
			return nil
		})
	}
	answered("one")
	server.Zone(t, "office.test.", zone("two"))
	answered("two")
	server.Stop(t)
	time.Sleep(3 * time.Second) // longer than the TTL and the first tries
	answered("two")
}
