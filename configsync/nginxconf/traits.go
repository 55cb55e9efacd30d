package nginxconf

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// traits are all that a location says because of an upstream that it sends requests to. They
// stay the same while endpoints come and go, so that a location is rarely written again.
type traits struct {
	usable            bool   // an endpoint is in rotation, and nginx can speak to it
	live              bool   // endpoints are pushed; whether there are any is seen when they are asked
	module            string // "proxy" or "grpc": how its directives begin
	scheme            string // of the pass directive
	tls               tlsTraits
	connect, response gateway.Duration
	attempts          int
	retryWithin       gateway.Duration // 0: any time
	retryOn           string           // reasons, with spaces between
}

// tlsTraits are how endpoints are connected to over TLS. The zero value is no TLS.
type tlsTraits struct {
	name     string // SNI, and expected in the certificate
	ca       string // file of those who may issue the certificate; empty: any certificate is taken
	own      string // file of our certificate, without its extension
	insecure bool
}

func (r *renderer) traitsOf(u *gateway.EffectiveUpstream) traits {
	module, scheme := wire(u.Protocol)
	spoken := r.refusalOf(u).why == ""
	live := spoken && r.live(u)
	return traits{
		usable:      live || spoken && hasEndpoint(u),
		live:        live,
		module:      module,
		scheme:      scheme,
		tls:         r.tlsOf(u),
		connect:     cmp.Or(u.Timeouts.Connect, defaultConnect),
		response:    cmp.Or(u.Timeouts.Response, defaultResponse),
		attempts:    cmp.Or(u.Retry.Attempts, 2),
		retryWithin: u.Retry.Timeout,
		retryOn:     strings.Join(u.Retry.On, " "),
	}
}

// wire is how nginx speaks a protocol. HTTP/2 to endpoints is what its gRPC module speaks,
// which passes other requests on as well.
func wire(protocol string) (module, scheme string) {
	switch protocol {
	case "https":
		return "proxy", "https"
	case "h2c":
		return "grpc", "grpc"
	case "h2":
		return "grpc", "grpcs"
	}
	return "proxy", "http"
}

// hasEndpoint says whether requests for the upstream have somewhere to go.
func hasEndpoint(u *gateway.EffectiveUpstream) bool {
	for _, e := range u.Endpoints {
		if e.InRotation && isAddress(e.Address) {
			return true
		}
	}
	return false
}

// refusal is why nginx can't speak to an upstream, whose routes then answer 503: in another
// way its requests would be worse off than refused.
type refusal struct{ field, why string }

func (r *renderer) refusalOf(u *gateway.EffectiveUpstream) refusal {
	module, _ := wire(u.Protocol)
	switch {
	case u.ProxyProtocol != "":
		return refusal{"spec.proxyProtocol", "No PROXY header is sent by nginx over HTTP, and an endpoint that waits for one would take a client's bytes for it"}
	case module == "grpc" && (!r.has("http_v2_module") || !r.has("http_grpc_module")):
		return refusal{"spec.protocol", "Protocol " + u.Protocol + " needs the modules http_v2 and http_grpc, which the nginx of these nodes lacks"}
	case u.TLS == nil:
		return refusal{}
	case !r.has("http_ssl_module"):
		return refusal{"spec.protocol", "Protocol " + u.Protocol + " needs the module http_ssl, which the nginx of these nodes lacks"}
	case !plainPath(r.facts.TreePath):
		return refusal{"spec.protocol", "The path of the tree on these nodes is none that nginx takes in every place: use letters, digits, \"-\", \"_\" and \".\""}
	case u.TLS.Certificate != "" && r.snapshot.Certificate(ownKey(u)) == nil:
		return refusal{"spec.tls.certificate", "There is no usable certificate " + printable(u.TLS.Certificate)}
	case u.TLS.ServerName != "" && !validHost(u.TLS.ServerName) && !isIP(u.TLS.ServerName):
		return refusal{"spec.tls.serverName", "The server name is not a host name"}
	case u.TLS.InsecureSkipVerify:
		return refusal{}
	case u.TLS.ServerName == "" || isIP(u.TLS.ServerName):
		return refusal{"spec.tls.serverName", "nginx compares the endpoints' certificates with a name only, never with an address: set spec.tls.serverName"}
	case u.TLS.CA != "" && certificatesIn(u.TLS.CA) == "":
		return refusal{"spec.tls.ca", "The authorities cannot be read"}
	case u.TLS.CA == "" && !plainPath(r.facts.TrustedCA):
		return refusal{"spec.tls.ca", "These nodes have no file with the authorities that their system trusts: set spec.tls.ca, or install ca-certificates"}
	}
	return refusal{}
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func ownKey(u *gateway.EffectiveUpstream) gateway.CertificateKey {
	return gateway.CertificateKey{Tenant: u.Key.Tenant, Name: u.TLS.Certificate}
}

func (r *renderer) tlsOf(u *gateway.EffectiveUpstream) tlsTraits {
	if u.TLS == nil {
		return tlsTraits{}
	}
	t := tlsTraits{name: u.TLS.ServerName, insecure: u.TLS.InsecureSkipVerify}
	switch {
	case t.insecure:
	case u.TLS.CA != "":
		t.ca = r.inTree(upstreamCAFile(u.Key))
	default:
		t.ca = r.facts.TrustedCA
	}
	if u.TLS.Certificate != "" {
		t.own = certificateStem(ownKey(u))
	}
	return t
}

// add lists the directives for connecting so.
func (t tlsTraits) add(b *locationBody, module string, inTree func(string) string) {
	name := func(s string) string { return module + "_ssl_" + s }
	b.add(name("protocols"), "TLSv1.2", "TLSv1.3")
	if t.name != "" && !isIP(t.name) { // RFC 6066 section 3: an address is not sent
		b.add(name("server_name"), "on")
		b.add(name("name"), t.name)
	}
	if t.insecure {
		b.add(name("verify"), "off")
	} else {
		b.add(name("verify"), "on")
		b.add(name("verify_depth"), verifyDepth)
		b.add(name("trusted_certificate"), t.ca)
	}
	if t.own != "" {
		b.add(name("certificate"), inTree(t.own+".crt"))
		b.add(name("certificate_key"), inTree(t.own+".key"))
	}
}
