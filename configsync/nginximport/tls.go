package nginximport

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// tls reads how an upstream's endpoints are connected to. nginx takes any certificate unless it
// is told to verify, and so does what is imported: both say so.
func (m *importer) tls(u *drafted, pass *statement, sc scope, module string) {
	if u.Spec.Protocol != "https" && u.Spec.Protocol != "h2" {
		return
	}
	t := &gateway.UpstreamTLS{}
	u.Spec.TLS = t
	sends, name := sc.one(module+"_ssl_server_name"), sc.one(module+"_ssl_name")
	if name != nil && !strings.ContainsRune(name.arg(0), '$') {
		say(name)
		t.ServerName = name.arg(0)
	}
	say(sends)
	for _, s := range []string{"_ssl_protocols", "_ssl_verify_depth", "_ssl_session_reuse"} {
		say(sc.one(module + s)) // Sluice has its own
	}
	verify, ca := sc.one(module+"_ssl_verify"), sc.one(module+"_ssl_trusted_certificate")
	if verify == nil || verify.arg(0) != "on" {
		t.InsecureSkipVerify = true
		if verify != nil {
			m.differs(verify, "any certificate of Upstream "+u.Name+" is taken, and Sluice shows that as a problem", "Set spec.tls.ca and serverName, and take insecureSkipVerify out")
		} else {
			m.note(Differs, pass, "nginx does not verify the certificates of Upstream "+u.Name+", so insecureSkipVerify is set, and Sluice shows that as a problem", "Set spec.tls.ca and serverName, and take insecureSkipVerify out")
		}
		return
	}
	say(verify)
	switch {
	case ca == nil:
	case strings.HasPrefix(ca.arg(0), "/etc/ssl/") || strings.HasPrefix(ca.arg(0), "/etc/pki/"):
		say(ca) // the authorities that the system trusts
	default:
		m.refuse(ca, "certificates are not read, so Upstream "+u.Name+" trusts the system's authorities", "Put the contents of the file into spec.tls.ca")
	}
}
