package nginxconf

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// Render writes the files that a node of the fleet should have: those of every tenant whose
// fleets name it. It is pure: equal arguments give equal bytes.
//
// A value that nginx can't take, or that could leave its place, is left out and becomes a
// [gateway.Problem] on the object that holds it; everything else is rendered.
func Render(s *gateway.Snapshot, fleet string, facts gateway.NodeFacts) (Tree, []gateway.Problem) {
	r := &renderer{snapshot: s, fleet: fleet, facts: withDefaults(facts), tenants: map[string]bool{}, seen: map[string]bool{}}
	for _, t := range s.Tenants {
		if slices.Contains(t.Spec.Fleets, fleet) {
			r.tenants[t.Name] = true
		}
	}
	r.upstreams()
	r.splits()
	r.servers()
	r.health()
	r.base()
	return r.tree(), r.finishProblems()
}

// renderer collects the files and the problems of one Render.
type renderer struct {
	snapshot *gateway.Snapshot
	fleet    string
	facts    gateway.NodeFacts
	tenants  map[string]bool // those that the fleet mirrors
	files    []File
	problems []gateway.Problem
	seen     map[string]bool              // routes with a split file
	used     map[gateway.UpstreamKey]bool // by routes; nil until it is asked for
	// longestName is the longest name in server_name, for the size of nginx's hash buckets.
	longestName int
	catchAll    bool   // a tenant of the fleet claims "*"
	host        string // whose server is being written
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

func (r *renderer) add(w *writer) { r.files = append(r.files, w.file()) }

func (r *renderer) problem(object gateway.Ref, field, code, format string, args ...any) {
	r.problems = append(r.problems, gateway.Problem{
		Object: object, Field: field, Code: code, Message: fmt.Sprintf(format, args...), Source: "fleet " + r.fleet,
	})
}

func (r *renderer) tree() Tree {
	slices.SortFunc(r.files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	t := Tree{Files: r.files}
	t.Digest = t.digest()
	f := t.File(DigestFile)
	f.Data = strings.Replace(f.Data, digestPlace, digestText(t.Digest), 1)
	return t
}

func (r *renderer) finishProblems() []gateway.Problem {
	slices.SortFunc(r.problems, gateway.Problem.Compare)
	return slices.Compact(r.problems)
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
