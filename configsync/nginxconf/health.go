package nginxconf

import (
	"path"

	"github.com/sluice-gateway/sluice/gateway"
)

// HealthHost is the host under which a node of a fleet that drains says whether it takes part.
const HealthHost = "sluice-health"

// Draining is a path that exists while a node with these facts is drained.
func Draining(f gateway.NodeFacts) string { return path.Join(path.Dir(f.TreePath), "draining") }

// health writes the server that LVS asks, where the fleet drains its nodes. Its name is short
// enough for any size of the hash of names.
func (r *renderer) health() {
	at := Draining(r.facts)
	for _, f := range r.snapshot.Fleets {
		if f.Name != r.fleet || f.Spec.Drain <= 0 || !plainPath(at) {
			continue
		}
		w := newWriter("base/health.conf", gateway.Ref{Kind: gateway.KindFleet, Name: r.fleet})
		w.comment("LVS asks here whether the node takes part: GET / with the host " + HealthHost + ".")
		w.open("server")
		for _, l := range r.facts.Listen {
			w.stmt("listen", l)
		}
		w.stmt("server_name", HealthHost)
		w.stmt("access_log", "off")
		w.open("location", "/")
		w.open("if", "(-e", at+")")
		w.stmt("return", "503")
		w.close()
		w.stmt("return", "200")
		w.close()
		w.close()
		r.add(w)
	}
}
