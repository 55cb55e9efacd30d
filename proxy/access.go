package proxy

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// access is the compiled ipAccess filter of a route.
type access struct {
	networks []gateway.ClientNetwork // the smallest first
	others   bool                    // whether clients in none of them are let in
}

func newAccess(a *gateway.IPAccess) *access {
	if a == nil {
		return nil
	}
	return &access{networks: a.Networks(), others: len(a.Allow) == 0}
}

// admits says whether the first network that holds the address lets its client in. A client
// whose address is not known is in none.
func (a *access) admits(client netip.Addr) bool {
	for i := range a.networks {
		if a.networks[i].Network.Contains(client) {
			return a.networks[i].Allowed
		}
	}
	return a.others
}

// client is who asks: the peer, or whom a trusted peer names last. One that names nobody who
// can be read is taken for the client itself.
func (x *exchange) client() netip.Addr {
	peer := x.c.peer().Unmap().WithZone("")
	if !x.c.trusted || x.headless {
		return peer
	}
	fields, b := x.req().Fields, x.head()
	for i := len(fields) - 1; i >= 0; i-- {
		if fields[i].Key != http1.KeyXForwardedFor {
			continue
		}
		if a, err := netip.ParseAddr(string(lastItem(fields[i].Value.Of(b)))); err == nil {
			return a.Unmap().WithZone("")
		}
		return peer
	}
	return peer
}
