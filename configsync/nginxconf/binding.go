package nginxconf

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// binding is a name that a certificate answers for.
type binding struct {
	name string
	cert gateway.CertificateKey
	mode string // of gateway.ClientAuth; empty: clients are not asked
}

// bindings finds the certificates of every mirrored host, by the host's name, as the Go edge
// finds them for a handshake: the exact name, else the wildcard of one label. A certificate's
// name below a wildcard host, which has no rules of its own, is one more name of that host.
func (r *renderer) bindings() map[string][]binding {
	byName := map[string]binding{}
	for _, c := range r.snapshot.Certificates {
		if !r.tenants[c.Key.Tenant] {
			continue
		}
		b := binding{cert: c.Key}
		if c.ClientAuth != nil {
			b.mode = c.ClientAuth.Mode
		}
		for _, name := range c.Hosts {
			b.name = name
			byName[name] = b
		}
	}
	if len(byName) == 0 {
		return nil
	}
	out := map[string][]binding{}
	for _, h := range r.snapshot.Hosts {
		b, ok := byName[h.Name]
		if _, parent, dot := strings.Cut(h.Name, "."); !ok && dot && !strings.HasPrefix(h.Name, "*.") {
			b, ok = byName["*."+parent]
			b.name = h.Name
		}
		if ok && b.cert.Tenant == h.Tenant {
			out[h.Name] = append(out[h.Name], b)
		}
	}
	for _, c := range r.snapshot.Certificates { // in their order, since that of a map is another each time
		for _, name := range c.Hosts {
			b, ok := byName[name]
			if !ok || b.cert != c.Key || r.snapshot.Host(name) != nil {
				continue
			}
			if h := r.snapshot.Lookup(name); h != nil && h.Tenant == b.cert.Tenant && validHost(name) {
				out[h.Name] = append(out[h.Name], b)
			}
		}
	}
	return out
}

// speaksTLS says whether the node takes TLS connections.
func (r *renderer) speaksTLS() bool {
	return len(r.facts.ListenTLS) > 0 && r.has("http_ssl_module") && plainPath(r.facts.TreePath)
}

// Those that the Go edge speaks, too.
const ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" +
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

// secure writes how a server answers handshakes, and refuses on a plain listener those whose
// client has to show a certificate. On TLS nginx itself answers 421 to a request for another
// name than that of the handshake, when clients of one of them are asked.
func (r *renderer) secure(w *writer, b binding) {
	if r.speaksTLS() {
		stem := r.inTree(certificateStem(b.cert))
		w.stmt("ssl_certificate", stem+".crt")
		w.stmt("ssl_certificate_key", stem+".key")
		w.stmt("ssl_protocols", "TLSv1.2", "TLSv1.3")
		w.stmt("ssl_ciphers", ciphers)
		if b.mode != "" {
			w.stmt("ssl_client_certificate", r.inTree(clientCAFile(b.cert)))
			w.stmt("ssl_verify_depth", verifyDepth)
		}
		switch b.mode {
		case "":
		case gateway.ClientAuthRequest:
			w.stmt("ssl_verify_client", "optional")
		default:
			w.stmt("ssl_verify_client", "on")
		}
	}
	if b.mode != "" && b.mode != gateway.ClientAuthRequest {
		w.put(`if ($https = "") {`)
		w.depth++
		w.stmt("return", "421")
		w.close()
	}
}
