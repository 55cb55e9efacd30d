package gateway

import (
	"fmt"
	"net/netip"
	"slices"
)

// EndpointPolicy says which addresses no upstream may have, whoever names them.
type EndpointPolicy struct {
	// Deny lists addresses and networks, such as "169.254.0.0/16". Those of several policies
	// add up. They take the place of the usual ones, see [UsualDenied]; an empty list allows
	// every address.
	Deny []string `json:"deny"`
}

// UsualDenied are the addresses of cloud metadata, which hand out credentials of the machine.
// They are denied when no policy says anything.
var UsualDenied = []netip.Prefix{netip.MustParsePrefix("169.254.169.254/32"), netip.MustParsePrefix("fd00:ec2::254/128")}

// deniedNetworks lists the networks whose addresses are left out of every upstream, sorted. A policy
// with a mistake does not take the usual ones away.
func (b *builder) deniedNetworks() []netip.Prefix {
	var out []netip.Prefix
	said, broken := false, false
	for _, p := range sortedByName(b.in.Policies) {
		e := p.Spec.Endpoints
		if e == nil {
			continue
		}
		said = true
		list := e.Deny
		if len(list) > maxNetworks {
			b.report(Problem{Object: p.Ref(), Field: "spec.endpoints.deny", Code: "networks_too_many",
				Message: fmt.Sprintf("The policy names %d networks, and those after the first %d are not looked at.", len(list), maxNetworks)})
			list, broken = list[:maxNetworks], true
		}
		for i, text := range list {
			n, err := parseNetwork(text)
			if err != nil {
				b.report(Problem{Object: p.Ref(), Field: index("spec.endpoints.deny", i), Code: "network_invalid",
					Message: sentence(err) + " It is left out, and the usual addresses of cloud metadata are denied until this is settled."})
				broken = true
				continue
			}
			out = append(out, n)
		}
	}
	if !said || broken {
		out = append(out, UsualDenied...)
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out)
}

// nat64 is how networks of IPv6 alone write an address of IPv4 (RFC 6052 section 2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// deniedBy returns the network that holds an address, written as IPv4 or for NAT64.
func deniedBy(networks []netip.Prefix, a netip.Addr) (by netip.Prefix, denied bool) {
	inner := a
	if nat64.Contains(a) {
		b := a.As16()
		inner = netip.AddrFrom4([4]byte(b[12:]))
	}
	for _, n := range networks {
		if n.Contains(a) || n.Contains(inner) {
			return n, true
		}
	}
	return by, false
}
