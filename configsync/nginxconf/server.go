package nginxconf

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// servers writes one file for each claimed host of the fleet's tenants, and one with the
// hosts that others keep out of the fleet's wildcards.
func (r *renderer) servers() {
	var reserved []string
	for _, h := range r.snapshot.Hosts {
		switch {
		case h.Name != "*" && !validHost(h.Name):
			if r.tenants[h.Tenant] {
				r.problem(tenantRef(h.Tenant), "spec.hosts", "bad_host", "Host %q is left out on nginx nodes: it is not a host name", h.Name)
			}
		case r.tenants[h.Tenant]:
			r.server(h)
		case r.covered(h.Name):
			reserved = append(reserved, h.Name)
		}
	}
	if len(reserved) > 0 {
		r.reserved(reserved)
	}
}

func (r *renderer) server(h *gateway.Host) {
	ref := tenantRef(h.Tenant)
	w := newWriter("servers/"+encodeName(h.Tenant, "-")+"."+encodeName(h.Name, "-.")+".conf", ref)
	w.comment(commentName(ref) + ", host " + h.Name)
	w.open("server")
	r.listen(w, h.Name)
	r.takeOutcomes(w)
	w.put("")
	w.stmt("proxy_http_version", "1.1")
	w.stmt("proxy_redirect", "off")
	forwardHeaders(w, nil)
	taken := map[string]bool{}
	r.host = h.Name
	for _, rule := range h.Rules {
		r.rule(w, rule, taken)
	}
	w.owner = ref
	if !taken["/"] {
		w.put("")
		w.open("location", "/")
		w.stmt("return", "404")
		w.close()
	}
	w.close()
	r.add(w)
}

func (r *renderer) listen(w *writer, host string) {
	for _, l := range r.facts.Listen {
		if host == "*" {
			r.catchAll = true
			w.stmt("listen", l, "default_server")
		} else {
			w.stmt("listen", l)
		}
	}
	if host == "*" {
		host = "_"
	}
	r.longestName = max(r.longestName, len(host))
	w.stmt("server_name", host)
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

// reserved keeps the hosts of tenants outside the fleet from falling to a wildcard of a
// tenant inside it.
func (r *renderer) reserved(hosts []string) {
	w := newWriter("servers/_reserved.conf", gateway.Ref{Kind: gateway.KindFleet, Name: r.fleet})
	w.comment("Hosts of tenants that this fleet does not mirror, inside wildcards that it serves.")
	w.open("server")
	for _, l := range r.facts.Listen {
		w.stmt("listen", l)
	}
	for _, h := range hosts {
		r.longestName = max(r.longestName, len(h))
		w.stmt("server_name", h)
	}
	w.stmt("return", "404")
	w.close()
	r.add(w)
}

// forwardHeaders are the headers that the Go edge sends as well. What a client claims in
// them is replaced: nginx's realip module is the place to trust a proxy in front.
// nginx inherits them only where a block sets none of its own, so a location whose override
// sets one repeats the others; names in except are left out.
func forwardHeaders(w *writer, except map[string]bool) {
	for _, h := range [][2]string{
		{"Host", "$http_host"},
		{"Connection", "$sluice_connection"},
		{"Upgrade", "$http_upgrade"},
		{"Proxy", ""},
		{"Proxy-Connection", ""},
		{"X-Forwarded-For", "$remote_addr"},
		{"X-Forwarded-Proto", "$scheme"},
		{"X-Forwarded-Host", "$http_host"},
		{"Forwarded", "for=$sluice_forwarded_for;proto=$scheme"},
	} {
		if !except[strings.ToLower(h[0])] {
			w.stmt("proxy_set_header", h[0], h[1])
		}
	}
}
