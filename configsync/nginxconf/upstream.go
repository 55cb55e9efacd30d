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
	if u.TLS != nil && u.TLS.CA != "" {
		r.addText(upstreamCAFile(u.Key), certificatesIn(u.TLS.CA), 0, ref)
	}
	if no := r.refusalOf(u); no.why != "" {
		r.notPortable(u, no.field, "%s. Its routes answer 503 on nginx nodes: change it, or serve them by the Go edge alone", no.why)
		w.comment("nginx can't speak to it as it wants: its routes answer 503.")
		r.add(w)
		return
	}
	if r.live(u) {
		r.liveUpstream(w, u)
		r.add(w)
		return
	}
	endpoints := r.endpoints(u)
	if len(endpoints) == 0 {
		w.comment("It has no endpoints: its routes answer 503.")
		r.add(w)
		return
	}
	first := endpoints[0].Priority
	backups := false
	for _, e := range endpoints {
		backups = backups || e.Priority != first
		first = min(first, e.Priority)
	}
	method := r.balance(w, u, backups)
	w.open("upstream", name)
	if r.has("http_upstream_zone_module") {
		w.stmt("zone", name, zoneSize(len(endpoints)))
	}
	if len(method) > 0 {
		w.stmt(method...)
	}
	most := r.limit(u, len(endpoints))
	for _, e := range endpoints {
		w.stmt(server(e, first, most)...)
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
func server(e gateway.Endpoint, first, most int) []string {
	words := []string{"server", e.Address}
	if e.Weight > 1 {
		words = append(words, "weight="+strconv.Itoa(e.Weight))
	}
	if most > 0 {
		words = append(words, "max_conns="+strconv.Itoa(most))
	}
	if e.Priority > first {
		words = append(words, "backup")
	}
	if !e.InRotation {
		words = append(words, "down")
	}
	return words
}

// limit divides the connections that an upstream may have among its endpoints, and reports
// what nginx does otherwise.
func (r *renderer) limit(u *gateway.EffectiveUpstream, endpoints int) int {
	most := u.Limits.MaxConnections
	if budget := u.Retry.BudgetPercent; budget != nil && *budget != gateway.DefaultRetryBudget {
		r.notPortable(u, "spec.retry.budgetPercent", "nginx knows no budget for retries: it is in force in the Go edge only")
	}
	switch {
	case most <= 0:
		return 0
	case !r.has("http_upstream_zone_module"):
		r.notPortable(u, "spec.limits", "The limits hold in the Go edge only: the nginx of these nodes lacks the module upstream_zone, without which each worker counts by itself")
		return 0
	}
	if pending := u.Limits.MaxPending; pending != nil && *pending == 0 {
		return perEndpoint(most, endpoints)
	}
	r.notPortable(u, "spec.limits.maxPending", "nginx lets no request wait: what exceeds the limit of connections, which it holds by endpoint, is answered 502 at once")
	return perEndpoint(most, endpoints)
}

// perEndpoint rounds up: together the endpoints take at least what the upstream may have.
func perEndpoint(most, endpoints int) int { return max(1, (most+endpoints-1)/endpoints) }

// zoneSize leaves about a kilobyte for an endpoint and moves in powers of two, so that the
// line rarely changes.
func zoneSize(endpoints int) string {
	kb := max(64, 1<<bits.Len(uint(endpoints-1)))
	return strconv.Itoa(kb) + "k"
}

func itoa(n int) string { return strconv.Itoa(n) }
