package nginxconf

import (
	"encoding/pem"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// secretMode is the mode of files with private keys.
const secretMode = 0o600

// verifyDepth bounds chains at a length that no authority uses: nginx's default, 1, refuses
// those with two intermediates, which the Go edge takes.
const verifyDepth = "10"

// certificateFiles are the chain and the key of a certificate, and the authorities of its
// clients' certificates. Servers name the files and not what is in them, so that a renewed
// certificate changes its own files alone.
func (r *renderer) certificateFiles(c *gateway.EffectiveCertificate) {
	ref := gateway.Ref{Kind: gateway.KindCertificate, Tenant: c.Key.Tenant, Name: c.Key.Name}
	stem := certificateStem(c.Key)
	r.addText(stem+".crt", certificatesIn(c.Chain), 0, ref)
	r.addText(stem+".key", keyIn(string(c.PrivateKey)), secretMode, ref)
	if c.ClientAuth != nil {
		r.addText(clientCAFile(c.Key), certificatesIn(c.ClientAuth.CA), 0, ref)
	}
}

// addText adds a file that is no configuration.
func (r *renderer) addText(path, text string, mode uint32, owner gateway.Ref) {
	lines := strings.Count(text, "\n")
	r.out.files = append(r.out.files, summed(File{Path: path, Data: text, Mode: mode, spans: []span{{from: 1, to: max(1, lines), owner: owner}}}))
}

// certificateStem is the path of a certificate's files without their extensions.
func certificateStem(k gateway.CertificateKey) string {
	return "certs/" + upstreamName(gateway.UpstreamKey(k))
}

func clientCAFile(k gateway.CertificateKey) string {
	return "client-cas/" + upstreamName(gateway.UpstreamKey(k)) + ".crt"
}

func upstreamCAFile(k gateway.UpstreamKey) string {
	return "upstream-cas/" + upstreamName(k) + ".crt"
}

// inTree is a file of the tree as directives name it: nginx would look for a relative path
// beside nginx.conf.
func (r *renderer) inTree(path string) string {
	return strings.TrimRight(r.facts.TreePath, "/") + "/" + path
}

// certificatesIn are the certificates of a PEM text, without anything that stands between
// them. It is empty where there is none.
func certificatesIn(text string) string {
	return blocksIn(text, func(kind string) bool { return kind == "CERTIFICATE" })
}

func keyIn(text string) string {
	return blocksIn(text, func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") })
}

func blocksIn(text string, wanted func(kind string) bool) string {
	var out strings.Builder
	for rest := []byte(text); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return out.String()
		}
		if wanted(b.Type) {
			out.Write(pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: b.Bytes}))
		}
	}
}
