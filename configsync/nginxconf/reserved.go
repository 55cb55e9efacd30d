package nginxconf

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// reserved are the hosts of tenants outside the fleet that a wildcard of a tenant inside it
// would take.
func (r *renderer) reserved(hosts []*gateway.Host) []string {
	var names []string
	for _, h := range hosts {
		if !r.tenants[h.Tenant] && (h.Name == "*" || validHost(h.Name)) && r.covered(h.Name) {
			names = append(names, h.Name)
		}
	}
	return names
}

// covered says whether a wildcard of the fleet would take requests for a host whose tenant
// is not mirrored by the fleet.
func (r *renderer) covered(host string) bool {
	for rest := strings.TrimPrefix(host, "*."); ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			break
		}
		if h := r.snapshot.Host("*." + after); h != nil {
			return r.tenants[h.Tenant]
		}
		rest = after
	}
	h := r.snapshot.Host("*")
	return h != nil && host != "*" && r.tenants[h.Tenant]
}

// reserve answers 404 for such hosts.
func (r *renderer) reserve(hosts []string) {
	w := newWriter("servers/_reserved.conf", gateway.Ref{Kind: gateway.KindFleet, Name: r.fleet})
	w.comment("Hosts of tenants that this fleet does not mirror, inside wildcards that it serves.")
	w.open("server")
	for _, l := range r.facts.Listen {
		w.stmt("listen", l)
	}
	for _, h := range hosts {
		w.stmt("server_name", h)
	}
	w.stmt("return", "404")
	w.close()
	r.add(w)
}
