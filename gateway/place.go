package gateway

import (
	"slices"
	"strings"
)

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
	var prefixes map[string][]int // of rules, by prefix without a slash at its end
	for i := 0; i < len(h.Rules); {
		p := Place{Path: h.Rules[i].Path}
		for ; i < len(h.Rules) && h.Rules[i].Path == p.Path; i++ {
			if !p.settled() {
				p.Rules = append(p.Rules, &h.Rules[i])
			}
		}
		if !p.settled() {
			if prefixes == nil {
				prefixes = h.prefixes()
			}
			for _, j := range p.Path.broader(prefixes) {
				if j >= i && !p.settled() {
					p.Rules = append(p.Rules, &h.Rules[j])
				}
			}
		}
		out = append(out, p)
	}
	return out
}

func (h *Host) prefixes() map[string][]int {
	out := map[string][]int{}
	for i := range h.Rules {
		if p := h.Rules[i].Path; p.Exact == "" {
			key := strings.TrimSuffix(p.Prefix, "/")
			out[key] = append(out[key], i)
		}
	}
	return out
}

// broader are the rules, in order, whose prefixes take every request that fits p.
func (p PathMatch) broader(prefixes map[string][]int) (list []int) {
	path := p.Exact + p.Prefix
	for k := range len(path) + 1 {
		if k == len(path) || path[k] == '/' {
			list = append(list, prefixes[path[:k]]...)
		}
	}
	slices.Sort(list)
	return list
}

// settled says whether the last rule takes everything that comes to it.
func (p *Place) settled() bool {
	return len(p.Rules) > 0 && !p.Rules[len(p.Rules)-1].Any()
}
