package nginxconf

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway"
)

// upstream writes the file of an upstream of the fleet's tenants.
func (r *renderer) upstream(u *gateway.EffectiveUpstream) {
	name, ref := upstreamName(u.Key), upstreamRef(u.Key)
	w := newWriter("upstreams/"+name+".conf", ref)
	w.comment(commentName(ref))
	if u.TLS != nil || u.Protocol == "h2c" {
		// In the clear its requests would be worse off than refused.
		r.notPortable(u, "spec.protocol", "Protocol %s is not spoken on nginx nodes, whose routes to this upstream answer 503: serve them by the Go edge alone, or speak http", u.Protocol)
		w.comment("It speaks https, which these nodes do not: its routes answer 503.")
		r.add(w)
		return
	}
	endpoints := r.endpoints(u)
	if len(endpoints) == 0 {
		w.comment("It has no endpoints: its routes answer 503.")
		r.add(w)
		return
	}
	r.limitProblems(u)
	first := endpoints[0].Priority
	for _, e := range endpoints {
		first = min(first, e.Priority)
	}
	w.open("upstream", name)
	if r.has("http_upstream_zone_module") {
		w.stmt("zone", name, zoneSize(len(endpoints)))
	}
	for _, e := range endpoints {
		w.stmt(server(e, first)...)
	}
	if r.has("http_upstream_keepalive_module") {
		w.stmt("keepalive", "32")
		w.stmt("keepalive_timeout", nginxTime(u.Timeouts.Idle, defaultIdle))
	}
	w.close()
	r.add(w)
}

// notPortable reports what nginx can not do of an upstream, if a route of the fleet's tenants
// sends requests to it: to all others nothing is missing.
func (r *renderer) notPortable(u *gateway.EffectiveUpstream, field, format string, args ...any) {
	r.out.ifUsed = append(r.out.ifUsed, gateway.Problem{
		Object: upstreamRef(u.Key), Field: field, Code: "not_portable", Message: fmt.Sprintf(format, args...), Source: "fleet " + r.fleet,
	})
}

// endpoints leaves out what is not an address with a port: nginx would resolve a name when
// it starts, and not start when that fails.
func (r *renderer) endpoints(u *gateway.EffectiveUpstream) []gateway.Endpoint {
	list := make([]gateway.Endpoint, 0, len(u.Endpoints))
	for _, e := range u.Endpoints {
		if !isAddress(e.Address) {
			r.problem(upstreamRef(u.Key), "endpoints", "bad_address", "Endpoint %q is left out on nginx nodes: write IP:port, with IPv6 in brackets", e.Address)
			continue
		}
		list = append(list, e)
	}
	return list
}

func isAddress(s string) bool {
	a, err := netip.ParseAddrPort(s)
	return err == nil && a.Addr().Zone() == "" && a.Port() != 0
}

// server writes an endpoint. One that is out of rotation stays listed as down, so that
// bringing it back is a one-word change. The lowest priority number is used first; nginx
// knows one further group, backup.
func server(e gateway.Endpoint, first int) []string {
	words := []string{"server", e.Address}
	if e.Weight > 1 {
		words = append(words, "weight="+strconv.Itoa(e.Weight))
	}
	if e.Priority > first {
		words = append(words, "backup")
	}
	if !e.InRotation {
		words = append(words, "down")
	}
	return words
}

// zoneSize leaves about a kilobyte for an endpoint and moves in powers of two, so that the
// line rarely changes.
func zoneSize(endpoints int) string {
	kb := max(64, 1<<bits.Len(uint(endpoints-1)))
	return strconv.Itoa(kb) + "k"
}

func itoa(n int) string { return strconv.Itoa(n) }
