package gateway

import "strings"

// Place is one path of a host with the rules that requests for it are tried with, in order: the
// first whose conditions are met takes it. Only the last one may be without conditions.
type Place struct {
	Path  PathMatch
	Rules []*Rule
}

// Places are the paths of a host in the order of its rules. Where the rules of a path all have
// conditions, those of broader paths follow.
func (h *Host) Places() []Place {
	var out []Place
	for i := 0; i < len(h.Rules); {
		p := Place{Path: h.Rules[i].Path}
		for ; i < len(h.Rules) && h.Rules[i].Path == p.Path; i++ {
			if !p.settled() {
				p.Rules = append(p.Rules, &h.Rules[i])
			}
		}
		for j := i; j < len(h.Rules) && !p.settled(); j++ {
			if h.Rules[j].Path.covers(p.Path) {
				p.Rules = append(p.Rules, &h.Rules[j])
			}
		}
		out = append(out, p)
	}
	return out
}

// settled says whether the last rule takes everything that comes to it.
func (p *Place) settled() bool {
	return len(p.Rules) > 0 && !p.Rules[len(p.Rules)-1].Any()
}

// covers says whether every request that fits o fits p.
func (p PathMatch) covers(o PathMatch) bool {
	if p.Exact != "" {
		return false
	}
	prefix := strings.TrimSuffix(p.Prefix, "/")
	rest, ok := strings.CutPrefix(o.Exact+o.Prefix, prefix)
	return ok && (rest == "" || rest[0] == '/')
}
