package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// content is what a Service's slices say about one port.
type content struct {
	endpoints []gateway.SourceEndpoint // sorted by address, no address twice
	problems  []string
	out       []string // addresses of those that serve no more since they are terminating, sorted
}

func (c content) equal(o content) bool {
	return slices.Equal(c.endpoints, o.endpoints) && slices.Equal(c.problems, o.problems) && slices.Equal(c.out, o.out)
}

// translate merges the slices, by name, of the Service that ref names. It decides by
// nothing but its arguments.
func translate(ref gateway.KubernetesDiscover, list map[string]*slice) content {
	c := content{endpoints: []gateway.SourceEndpoint{}}
	if len(list) == 0 {
		c.problems = []string{fmt.Sprintf(
			"cluster %q has no EndpointSlice of Service %s: check namespace and service; when the Service appears, so do its endpoints",
			cmp.Or(ref.Cluster, "default"), serviceName(ref))}
		return c
	}
	wanted, problem := choosePort(ref, list)
	if problem != "" {
		c.problems = append(c.problems, problem)
	}
	total := 0
	for _, s := range list {
		total += len(s.endpoints)
	}
	merged := make(map[netip.AddrPort]endpoint, total)
	for _, name := range slices.Sorted(maps.Keys(list)) {
		s := list[name]
		c.problems = append(c.problems, s.problems...)
		i := slices.IndexFunc(s.ports, wanted)
		if i < 0 {
			continue
		}
		for _, e := range s.endpoints {
			address := netip.AddrPortFrom(e.address, s.ports[i].number)
			// While an endpoint moves between slices it may be in both: the livelier wins.
			if known, ok := merged[address]; !ok || known.terminating && !e.terminating || known.out && !e.out {
				merged[address] = e
			}
		}
	}
	c.endpoints = slices.Grow(c.endpoints, len(merged))
	for address, e := range merged {
		if e.out {
			c.out = append(c.out, address.String())
			continue
		}
		c.endpoints = append(c.endpoints, gateway.SourceEndpoint{
			Address: address.String(), Weight: 1, Zone: e.zone, Terminating: e.terminating,
		})
	}
	slices.Sort(c.out)
	slices.SortFunc(c.endpoints, func(a, b gateway.SourceEndpoint) int { return cmp.Compare(a.Address, b.Address) })
	return c
}

func serviceName(ref gateway.KubernetesDiscover) string { return ref.Namespace + "/" + ref.Service }
