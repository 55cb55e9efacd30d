package dns

import (
	"math"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// maxWeight is the largest weight of an endpoint.
const maxWeight = 1000

// weigh turns SRV records into endpoints with whole weights from 1 to maxWeight. The package
// comment says how.
func weigh(records []*dns.SRV, hosts map[string]hosted) []weighed {
	groups := map[uint16][]*dns.SRV{}
	for _, s := range records {
		groups[s.Priority] = append(groups[s.Priority], s)
	}
	var out []weighed
	for priority, group := range groups {
		share := shares(group, hosts)
		for i, s := range group {
			for _, addr := range hosts[strings.ToLower(s.Target)].addrs {
				out = append(out, weighed{address: netip.AddrPortFrom(addr, s.Port), priority: int(priority), weight: share[i]})
			}
		}
	}
	return out
}

// shares is the weight of each address of each record of one priority.
func shares(group []*dns.SRV, hosts map[string]hosted) []int {
	some, none, common := false, false, 1
	for _, s := range group {
		some, none = some || s.Weight > 0, none || s.Weight == 0
		if n := len(hosts[strings.ToLower(s.Target)].addrs); n > 0 && common <= maxWeight {
			common = lcm(common, n)
		}
	}
	exact, largest := make([]float64, len(group)), 0.0
	for i, s := range group {
		n := max(1, len(hosts[strings.ToLower(s.Target)].addrs))
		weight := float64(s.Weight)
		if !some {
			weight = 1
		}
		exact[i] = weight * float64(common) / float64(n)
		largest = max(largest, exact[i])
	}
	scale := 1.0
	if largest > maxWeight || some && none {
		scale = maxWeight / largest
	}
	out := make([]int, len(group))
	for i := range exact {
		out[i] = max(1, int(math.Round(exact[i]*scale)))
	}
	return out
}

func lcm(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}
