package proxy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestAccessAdmits(t *testing.T) {
	lists := &gateway.IPAccess{Allow: []string{"10.0.0.0/8", "10.1.2.0/24", "2001:db8::/32"}, Deny: []string{"10.1.0.0/16", "10.1.2.9/32"}}
	allowed, denied := newAccess(lists), newAccess(&gateway.IPAccess{Deny: []string{"10.0.0.0/8"}})
	for address, want := range map[string][2]bool{
		"10.2.0.1": {true, false}, "10.1.0.1": {false, false}, "10.1.2.1": {true, false}, "10.1.2.9": {false, false}, "11.0.0.1": {false, true}, "2001:db8::1": {true, true}, "2001:db9::1": {false, true},
	} {
		a := netip.MustParseAddr(address)
		if got := [2]bool{allowed.admits(a), denied.admits(a)}; got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	if allowed.admits(netip.Addr{}) || newAccess(nil) != nil {
		t.Error("an address that is not known is let in, or there is a filter where there is none")
	}
}

// TestAccess: whoever may not ask gets 403, before bodies, fixed answers and endpoints; a
// trusted peer says for whom it asks.
func TestAccess(t *testing.T) {
	o := rawOrigin(t, hello, false)
	s := withRespond([]string{o.addr}, map[string]gateway.Respond{"/fixed": {Status: 200, Body: "secret"}, "/closed": {Status: 200, Body: "secret"}})
	for i := range s.Hosts[0].Rules {
		switch route := s.Hosts[0].Rules[i].Route; route.Name {
		case "closed":
			route.IPAccess = &gateway.IPAccess{Deny: []string{"0.0.0.0/0", "::/0"}}
		default:
			route.IPAccess = &gateway.IPAccess{Allow: []string{"127.0.0.0/8"}, Deny: []string{"127.0.0.2/32"}}
		}
	}
	for _, trusted := range []bool{false, true} {
		l := Listener{}
		if trusted {
			l.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}
		e := start(t, Config{}, l, s)
		reg := prometheus.NewPedanticRegistry()
		reg.MustRegister(e)
		for _, c := range []struct {
			path, forwarded, plain, trusted string
		}{
			{"/", "", "200", "200"},
			{"/fixed", "", "200", "200"},
			{"/closed", "", "403", "403"},
			{"/", "127.0.0.2", "200", "403"},
			{"/fixed", "127.0.0.2", "200", "403"},
			{"/", "8.8.8.8, 127.0.0.3", "200", "200"},
			{"/", "127.0.0.3, 8.8.8.8", "200", "403"},
			{"/", "::ffff:127.0.0.2", "200", "403"},
			{"/", "unknown", "200", "200"},
		} {
			client := e.dial(t)
			client.send(crlf("GET " + c.path + " HTTP/1.1\nHost: x\nX-Forwarded-For: " + c.forwarded + "\n\n"))
			resp, body := client.answer("GET")
			want := c.plain
			if trusted {
				want = c.trusted
			}
			if !strings.HasPrefix(resp.Status, want) || strings.Contains(body, "secret") && want == "403" || resp.Close {
				t.Errorf("%s for %q, trusted %v: %s %q, want %s", c.path, c.forwarded, trusted, resp.Status, body, want)
			}
		}
		eventually(t, "the refused request is counted", func() bool { // which is when its answer has been sent
			return gather(t, reg)["sluice_requests_total code=403 listener=test route=closed tenant=acme upstream="] == 1
		})
		client := e.dial(t) // a body that nobody wants is not read
		client.send(crlf("POST /closed HTTP/1.1\nHost: x\nContent-Length: 100000000\n\n"))
		if resp, _ := client.answer("POST"); resp.StatusCode != 403 || !resp.Close {
			t.Errorf("a large body: %s, close %v", resp.Status, resp.Close)
		}
	}
}
