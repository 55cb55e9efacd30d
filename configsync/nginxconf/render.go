package nginxconf

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// Render writes the files that a node of the fleet should have: those of every tenant whose
// fleets name it. It is pure: equal arguments give equal bytes.
//
// A value that nginx can't take, or that could leave its place, is left out and becomes a
// [gateway.Problem] on the object that holds it; everything else is rendered.
//
// Whoever renders one snapshot after the other keeps a [Renderer], which gives the same and
// writes only what changed.
func Render(s *gateway.Snapshot, fleet string, facts gateway.NodeFacts) (Tree, []gateway.Problem) {
	return NewRenderer(fleet, facts).Render(s)
}

// renderer writes the files of one part of a snapshot and collects what nginx can't take of
// it. A part depends on nothing that its [Renderer] does not compare.
type renderer struct {
	snapshot *gateway.Snapshot
	fleet    string
	facts    gateway.NodeFacts
	tenants  map[string]bool // those that the fleet mirrors
	traits   map[gateway.UpstreamKey]traits
	out      part
	host     string                    // whose server is being written
	claim    string                    // the host whose rules it has
	path     string                    // whose location is being written, without a slash at its end
	copied   []*gateway.EffectiveRoute // those of it with locations that copy requests
	jumps    []jump                    // its locations that others jump to
	jumped   map[string]bool           // their names
}

// withDefaults fills in what an agent may leave out.
func withDefaults(f gateway.NodeFacts) gateway.NodeFacts {
	if len(f.Listen) == 0 {
		f.Listen = []string{"80"}
	}
	f.DigestListen = DigestListen(f)
	return f
}

// DigestListen is where a node with these facts answers GET /digest: "unix:PATH" or
// "ADDRESS:PORT".
func DigestListen(f gateway.NodeFacts) string {
	return cmp.Or(f.DigestListen, "unix:"+path.Join(path.Dir(f.TreePath), "sluice.sock"))
}

// has says whether the node's nginx was built with a module, such as
// "http_upstream_zone_module".
func (r *renderer) has(module string) bool { return slices.Contains(r.facts.Modules, module) }

func (r *renderer) add(w *writer) { r.out.files = append(r.out.files, summed(w.file())) }

func (r *renderer) problem(object gateway.Ref, field, code, format string, args ...any) {
	r.out.problems = append(r.out.problems, gateway.Problem{
		Object: object, Field: field, Code: code, Message: fmt.Sprintf(format, args...), Source: "fleet " + r.fleet,
	})
}

func routeRef(r *gateway.EffectiveRoute) gateway.Ref {
	return gateway.Ref{Kind: gateway.KindRoute, Tenant: r.Tenant, Name: r.Name}
}

func upstreamRef(k gateway.UpstreamKey) gateway.Ref {
	return gateway.Ref{Kind: gateway.KindUpstream, Tenant: k.Tenant, Name: k.Name}
}

func tenantRef(name string) gateway.Ref {
	return gateway.Ref{Kind: gateway.KindTenant, Name: name}
}
