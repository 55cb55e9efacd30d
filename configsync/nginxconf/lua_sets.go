package nginxconf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// EndpointSet are the endpoints of one upstream for nodes that take them without a reload.
type EndpointSet struct {
	// Upstream is its name in nginx.
	Upstream  string        `json:"upstream"`
	Endpoints []SetEndpoint `json:"endpoints"`
}

// SetEndpoint is one endpoint of a set.
type SetEndpoint struct {
	Address string `json:"address"` // "IP:port"
	Weight  int    `json:"weight"`
	// Priority: endpoints of a higher number are asked when there is none of a lower one.
	Priority int `json:"priority,omitempty"`
	// Down endpoints are listed and get no requests.
	Down bool `json:"down,omitempty"`
}

// Set makes the set of an upstream. ok is false for an upstream whose endpoints stand in the
// files of all nodes.
func Set(u *gateway.EffectiveUpstream) (set EndpointSet, ok bool) {
	if !isLive(u) {
		return EndpointSet{}, false
	}
	set = EndpointSet{Upstream: upstreamName(u.Key), Endpoints: make([]SetEndpoint, 0, len(u.Endpoints))}
	for _, e := range u.Endpoints {
		a, err := netip.ParseAddrPort(e.Address)
		if err != nil || a.Addr().Zone() != "" || a.Port() == 0 {
			continue // the renderer makes a problem of it
		}
		set.Endpoints = append(set.Endpoints, SetEndpoint{
			Address: netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String(), Down: !e.InRotation,
			Weight: min(max(1, e.Weight), maxSetNumber), Priority: min(max(0, e.Priority), maxSetNumber),
		})
	}
	return set, true
}

// Text is the set as it is pushed to nginx; see lua_balance.lua. The error names what is not
// an endpoint: nothing that a set holds can leave its line.
func (s EndpointSet) Text() (string, error) {
	if !ValidSetName(s.Upstream) {
		return "", fmt.Errorf("endpoint set %q: this is not the name of an upstream in nginx", s.Upstream)
	}
	var b strings.Builder
	b.WriteString("set " + s.Upstream + "\n")
	for _, e := range s.Endpoints {
		a, err := netip.ParseAddrPort(e.Address)
		if err != nil || a.Addr().Zone() != "" || a.Addr().Is4In6() || a.Port() == 0 {
			return "", fmt.Errorf("endpoint set %s: %q is not IP:port", s.Upstream, e.Address)
		}
		if e.Weight < 1 || e.Weight > maxSetNumber || e.Priority < 0 || e.Priority > maxSetNumber {
			return "", fmt.Errorf("endpoint set %s: endpoint %s has weight %d and priority %d: they are from 1, and from 0, to %d", s.Upstream, e.Address, e.Weight, e.Priority, maxSetNumber)
		}
		b.WriteString(a.String() + " " + strconv.Itoa(e.Weight) + " " + strconv.Itoa(e.Priority))
		if e.Down {
			b.WriteString(" down")
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// maxSetNumber bounds weights and priorities.
const maxSetNumber = 999_999_999

// ValidSetName says whether a name can be that of an upstream in nginx.
func ValidSetName(name string) bool {
	return name != "" && len(name) <= 250 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}
