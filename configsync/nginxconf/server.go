package nginxconf

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// server writes the file of a claimed host of the fleet's tenants, those of its splits, and
// those of further names that a certificate answers for.
func (r *renderer) server(h *gateway.Host, bound []binding) {
	ref := tenantRef(h.Tenant)
	if h.Name != "*" && !validHost(h.Name) {
		r.problem(ref, "spec.hosts", "bad_host", "Host %q is left out on nginx nodes: it is not a host name", h.Name)
		return
	}
	own := binding{name: h.Name}
	r.claim = h.Name
	for _, b := range bound {
		switch {
		case b.name == h.Name:
			own = b
		case r.speaksTLS() || b.mode == gateway.ClientAuthRequire:
			r.serverFor(h, b)
		}
	}
	r.serverFor(h, own)
	r.splits(h)
	r.accesses(h)
	r.routeFiles(h)
	r.picks(h)
	r.uris(h)
	r.routeLimits(h)
	r.mirrorShares(h)
}

// serverFor writes the server of one name with the rules of a host.
func (r *renderer) serverFor(h *gateway.Host, b binding) {
	ref := tenantRef(h.Tenant)
	w := newWriter("servers/"+encodeName(h.Tenant, "-")+"."+encodeName(b.name, "-.")+".conf", ref)
	w.comment(commentName(ref) + ", host " + b.name)
	w.open("server")
	r.listen(w, b)
	r.takeOutcomes(w)
	w.put("")
	w.stmt("set", "$sluice_tenant", plainName(h.Tenant))
	w.stmt("proxy_http_version", "1.1")
	w.stmt("proxy_redirect", "off")
	forwardHeaders(w, "proxy", nil)
	taken := map[string]bool{}
	r.takeMirrors(h, taken)
	r.host, r.jumps, r.jumped = b.name, nil, map[string]bool{}
	for _, p := range h.Places() {
		r.place(w, p, taken)
	}
	r.jumpLocations(w)
	for _, route := range r.copied {
		r.mirrorLocation(w, route)
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

// listen writes where a server takes connections, and of which name.
func (r *renderer) listen(w *writer, b binding) {
	for _, l := range r.facts.Listen {
		if b.name == "*" {
			w.stmt("listen", l, "default_server")
		} else {
			w.stmt("listen", l)
		}
	}
	if b.cert.Name != "" && r.speaksTLS() {
		r.listenTLS(w)
	}
	if b.name == "*" {
		w.stmt("server_name", "_")
	} else {
		w.stmt("server_name", b.name)
	}
	r.serverLimits(w)
	if b.cert.Name != "" {
		r.secure(w, b)
	}
}

// listenTLS writes the TLS listeners. Before http2 had a directive it was a word of these.
func (r *renderer) listenTLS(w *writer, more ...string) {
	if r.has("http_v2_module") && !r.atLeast("1.25.1") {
		more = append([]string{"http2"}, more...)
	}
	for _, l := range r.facts.ListenTLS {
		w.stmt(append([]string{"listen", l, "ssl"}, more...)...)
	}
}

// headLimit is the default of listeners[].limits.maxHeaderBytes. One buffer holds what does
// not fit into the first kilobyte, so that it bounds the head as a whole.
const headLimit = "64k"

// serverLimits are what every server says, the default one too: nginx reads a head before it
// knows whose server it is for. With the directive, HTTP/2 is taken in the clear as well, as
// the Go edge does.
func (r *renderer) serverLimits(w *writer) {
	if r.has("http_v2_module") && r.atLeast("1.25.1") {
		w.stmt("http2", "on")
	}
	w.stmt("large_client_header_buffers", "1", headLimit)
}

// plainName is a name as a value in which nginx finds no variable.
func plainName(name string) string {
	if len(name) > maxShown || strings.ContainsRune(name, '$') || hasControl(name) {
		return encodeName(name, "-.")
	}
	return name
}

// forwardHeaders are the headers that the Go edge sends as well. What a client claims in
// them is replaced: nginx's realip module is the place to trust a proxy in front.
// nginx inherits them only where a block sets none of its own, so a location whose override
// sets one repeats the others; names in except are left out.
func forwardHeaders(w *writer, module string, except map[string]bool) {
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
		ofOneHop := h[0] == "Connection" || h[0] == "Upgrade" // HTTP/2 has neither
		if !except[strings.ToLower(h[0])] && !(module == "grpc" && ofOneHop) {
			w.stmt(module+"_set_header", h[0], h[1])
		}
	}
}
