package gateway

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// IPAccess lets clients in by their addresses. Of the networks in both lists that hold an
// address the smallest decides; one that stands in both refuses.
type IPAccess struct {
	// Allow lists addresses and networks, such as "10.0.0.0/8", whose clients are let in, and
	// nobody else. Empty: everybody whom Deny does not name.
	Allow []string `json:"allow,omitempty"`
	// Deny lists those whose clients are answered 403.
	Deny []string `json:"deny,omitempty"`
}

// maxNetworks bounds both lists together: every request of the route is compared with them.
const maxNetworks = 1000

// ClientNetwork is one network of an [IPAccess] that can be used.
type ClientNetwork struct {
	Network netip.Prefix
	Allowed bool
}

// Networks are those of both lists, the smallest first. Entries that can not be read are left
// out: Build has settled them.
func (a *IPAccess) Networks() []ClientNetwork {
	var list []ClientNetwork
	for _, text := range a.Deny {
		if p, err := parseNetwork(text); err == nil {
			list = append(list, ClientNetwork{Network: p})
		}
	}
	for _, text := range a.Allow {
		if p, err := parseNetwork(text); err == nil {
			list = append(list, ClientNetwork{Network: p, Allowed: true})
		}
	}
	slices.SortStableFunc(list, func(x, y ClientNetwork) int {
		return cmp.Or(cmp.Compare(y.Network.Bits(), x.Network.Bits()), x.Network.Addr().Compare(y.Network.Addr()))
	})
	return list
}

// parseNetwork reads an address or a network, IPv4 in its own form.
func parseNetwork(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return p, fmt.Errorf("%q is no address and no network: write 10.0.0.4, 10.0.0.0/8 or 2001:db8::/32", text)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, fmt.Errorf("%q holds all of IPv4 and more: write the IPv4 network in its own form", text)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// everybody is refused where a list can't be used: the route may have been meant to be closed
// for some.
func everybody() *IPAccess { return &IPAccess{Deny: []string{"0.0.0.0/0", "::/0"}} }

// ipAccess returns the usable lists of a route, in canonical form and sorted, or nil.
func (b *builder) ipAccess(r *Route) *IPAccess {
	return filterOf(r, func(f *Filter) *IPAccess { return f.IPAccess },
		func(field string, f *IPAccess) *IPAccess { return b.usableAccess(r, field+".ipAccess", f) },
		func(field string, _ *IPAccess) *IPAccess {
			b.report(Problem{Object: r.Ref(), Field: field, Code: "filter_twice",
				Message: "The route has an ipAccess filter already, and nobody is let in until there is one: put all networks into it."})
			return everybody()
		})
}

func (b *builder) usableAccess(r *Route, field string, a *IPAccess) *IPAccess {
	closed := func(p Problem) *IPAccess {
		p.Object, p.Message = r.Ref(), p.Message+" Nobody is let in until this is settled."
		b.report(p)
		return everybody()
	}
	switch n := len(a.Allow) + len(a.Deny); {
	case n == 0:
		return closed(Problem{Field: field, Code: "network_missing", Message: "The filter names no network."})
	case n > maxNetworks:
		return closed(Problem{Field: field, Code: "networks_too_many", Message: fmt.Sprintf("The filter names %d networks, and at most %d are possible.", n, maxNetworks)})
	}
	out := &IPAccess{}
	for _, list := range []struct {
		name string
		from []string
		to   *[]string
	}{{".allow", a.Allow, &out.Allow}, {".deny", a.Deny, &out.Deny}} {
		for i, text := range list.from {
			p, err := parseNetwork(text)
			if err != nil {
				return closed(Problem{Field: index(field+list.name, i), Code: "network_invalid", Message: sentence(err)})
			}
			*list.to = append(*list.to, p.String())
		}
		slices.Sort(*list.to)
		*list.to = slices.Compact(*list.to)
	}
	return out
}
