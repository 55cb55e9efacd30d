package nginxconf

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// server writes the file of a claimed host of the fleet's tenants, and those of its splits.
func (r *renderer) server(h *gateway.Host) {
	ref := tenantRef(h.Tenant)
	if h.Name != "*" && !validHost(h.Name) {
		r.problem(ref, "spec.hosts", "bad_host", "Host %q is left out on nginx nodes: it is not a host name", h.Name)
		return
	}
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
	r.splits(h)
}

func (r *renderer) listen(w *writer, host string) {
	for _, l := range r.facts.Listen {
		if host == "*" {
			w.stmt("listen", l, "default_server")
		} else {
			w.stmt("listen", l)
		}
	}
	if host == "*" {
		host = "_"
	}
	w.stmt("server_name", host)
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
