package nginximport

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// everybody are all addresses.
var everybody = []string{"0.0.0.0/0", "::/0"}

// access reads allow and deny, of which the first that fits decides in nginx, and the smallest
// network in Sluice. What stands behind a larger network is dead in nginx, and left out. It
// returns what can't be said.
func (m *importer) access(d *draft, sc scope) *statement {
	rules := sc.all("allow", "deny")
	if rules == nil {
		return nil
	}
	type rule struct {
		network netip.Prefix
		allow   bool
	}
	var kept []rule
	open := true // for those whom nothing names
	for _, s := range rules {
		allow := s.Name() == "allow"
		if s.arg(0) == "all" {
			open = allow
			break
		}
		p, ok := network(s.arg(0))
		if !ok {
			if allow && s.arg(0) == "unix:" {
				continue
			}
			return s
		}
		if !slices.ContainsFunc(kept, func(k rule) bool { return k.network.Bits() <= p.Bits() && k.network.Contains(p.Addr()) }) {
			kept = append(kept, rule{p, allow})
		}
	}
	say(rules...)
	a := &gateway.IPAccess{}
	for _, k := range kept {
		if k.allow {
			a.Allow = append(a.Allow, k.network.String())
		} else {
			a.Deny = append(a.Deny, k.network.String())
		}
	}
	if a = closeOrOpen(a, open); a != nil {
		d.spec.Filters = append(d.spec.Filters, gateway.Filter{IPAccess: a})
	}
	return nil
}

// closeOrOpen says what becomes of those whom no list names: an allow list closes by itself.
func closeOrOpen(a *gateway.IPAccess, open bool) *gateway.IPAccess {
	switch {
	case open && len(a.Deny) == 0:
		return nil
	case open && len(a.Allow) > 0:
		a.Allow = append(a.Allow, everybody...)
	case !open && len(a.Allow) == 0:
		a.Deny = slices.Clone(everybody)
	}
	return a
}

// network reads "10.0.0.1" and "10.0.0.0/8".
func network(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// geoAccess reads "if ($in = 0) { return 403; }" with the geo block that sets the variable, or
// returns nil. It is what Sluice itself writes.
func (m *importer) geoAccess(s *statement) *gateway.IPAccess {
	args := s.Args()
	if len(args) != 3 || args[1] != "=" || args[2] != "0)" || len(s.kids) != 1 || s.kids[0].Name() != "return" || s.kids[0].arg(0) != "403" {
		return nil
	}
	g := m.variables["geo "+strings.TrimPrefix(args[0], "(")]
	if g == nil || len(g.Words) != 2 {
		return nil
	}
	a, open := &gateway.IPAccess{}, false
	for _, k := range g.kids {
		p, ok := network(k.Name())
		switch value := k.arg(0); {
		case value != "0" && value != "1":
			return nil
		case k.Name() == "default":
			open = value == "1"
		case !ok:
			return nil
		case value == "1":
			a.Allow = append(a.Allow, p.String())
		default:
			a.Deny = append(a.Deny, p.String())
		}
	}
	if a = closeOrOpen(a, open); a != nil {
		sayAll(g)
	}
	return a
}

// refusesAll says whether the lists let nobody in.
func refusesAll(list []gateway.Filter) bool {
	return slices.ContainsFunc(list, func(f gateway.Filter) bool {
		return f.IPAccess != nil && len(f.IPAccess.Allow) == 0 && slices.Equal(f.IPAccess.Deny, everybody)
	})
}
