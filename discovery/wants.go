package discovery

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// wantsOf sorts what the upstreams ask for by source. A place whose source is not
// configured becomes a problem. Both results are in a fixed order.
func wantsOf(upstreams []*gateway.EffectiveUpstream, sources map[string]Source) (map[string][]Want, []gateway.Problem) {
	wants := make(map[string][]Want, len(sources))
	var problems []gateway.Problem
	for _, u := range upstreams {
		for i, ref := range u.Discover {
			name := sourceName(ref)
			switch {
			case name == "": // by hand
			case sources[name] == nil:
				problems = append(problems, unknownSource(u.Key, i, name, sources))
			default:
				wants[name] = append(wants[name], Want{Key: ref.SetKey(u.Key), Ref: ref})
			}
		}
	}
	for name, list := range wants {
		slices.SortFunc(list, func(a, b Want) int { return compareKeys(a.Key, b.Key) })
		wants[name] = slices.CompactFunc(list, func(a, b Want) bool { return a.Key == b.Key })
	}
	slices.SortFunc(problems, gateway.Problem.Compare)
	return wants, problems
}

// unknownSource says that name is not configured, and what is.
func unknownSource(u gateway.UpstreamKey, i int, name string, sources map[string]Source) gateway.Problem {
	kind, given, _ := strings.Cut(name, "/")
	what, field, section := "etcd registry", "etcd.registry", "etcd"
	switch gateway.SourceKind(kind) {
	case gateway.SourceKubernetes:
		what, field, section = "Kubernetes cluster", "kubernetes.cluster", "kubernetes"
	case gateway.SourceDNS:
		what, field, section = "DNS resolver", "dns.resolver", "dns"
	}
	known := make([]string, 0, len(sources))
	for _, n := range slices.Sorted(maps.Keys(sources)) {
		if k, rest, _ := strings.Cut(n, "/"); k == kind {
			known = append(known, fmt.Sprintf("%q", rest))
		}
	}
	message := fmt.Sprintf("%s %q is not configured: use one of %s, or add it to %q in sluice.yaml", what, given, strings.Join(known, ", "), section)
	if len(known) == 0 {
		message = fmt.Sprintf("%s %q is not configured, nor is any other: add it to %q in sluice.yaml", what, given, section)
	}
	return gateway.Problem{
		Object:  gateway.Ref{Kind: gateway.KindUpstream, Tenant: u.Tenant, Name: u.Name},
		Field:   fmt.Sprintf("spec.discover[%d].%s", i, field),
		Code:    "unknown_source",
		Message: message,
		Source:  "discovery",
	}
}

// sameWants says whether both lists ask for the same places. Most snapshots differ in
// endpoints only, and this keeps them from costing a string per upstream.
func sameWants(a, b []*gateway.EffectiveUpstream) bool {
	return slices.EqualFunc(a, b, func(a, b *gateway.EffectiveUpstream) bool {
		return a == b || a.Key == b.Key && slices.EqualFunc(a.Discover, b.Discover, samePlace)
	})
}

func samePlace(a, b gateway.Discover) bool {
	return same(a.Kubernetes, b.Kubernetes) && same(a.Etcd, b.Etcd) && same(a.DNS, b.DNS)
}

func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
