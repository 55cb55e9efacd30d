package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/sluice-gateway/sluice/gateway"
)

// RenderFacts keeps the facts that the renderer looks at: nodes that differ in nothing else have
// the same bundle.
func RenderFacts(f gateway.NodeFacts) gateway.NodeFacts {
	return gateway.NodeFacts{NginxVersion: f.NginxVersion, Modules: f.Modules, TreePath: f.TreePath, Listen: f.Listen, DigestListen: f.DigestListen,
		Outcomes: f.Outcomes, AccessLog: f.AccessLog}
}

// FactsDigest names the facts that the renderer looks at in a [Statement].
func FactsDigest(f gateway.NodeFacts) string {
	b, err := json.Marshal(RenderFacts(f))
	if err != nil {
		panic("protocol: plain data always marshals: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
