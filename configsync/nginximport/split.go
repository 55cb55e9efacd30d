package nginximport

import (
	"math"
	"strconv"
	"strings"
)

// share is one target of a pass directive.
type share struct {
	host, protocol string
	weight         int
}

// split reads the split_clients block that sets a variable, and, when scheme is a variable, the
// one beside it. nil: there is none, or it has more than shares of upstreams.
func (m *importer) split(variable, scheme string) []share {
	hosts, schemes := m.splitBlock(variable), []*statement(nil)
	if strings.HasPrefix(scheme, "$") {
		if schemes = m.splitBlock(scheme); len(schemes) != len(hosts) {
			return nil
		}
	}
	var out []share
	var parts []int // in hundredths of a percent
	left := 10000
	for i, h := range hosts {
		by := scheme
		if schemes != nil {
			by = schemes[i].arg(0)
		}
		part := left
		if percent, ok := strings.CutSuffix(h.Name(), "%"); ok {
			v, err := strconv.ParseFloat(percent, 64)
			if err != nil || !(v >= 0 && v <= 100) {
				return nil
			}
			part = int(math.Round(v * 100))
		} else if h.Name() != "*" {
			return nil
		}
		if protocols[by] == "" || h.arg(0) == "" || strings.ContainsAny(h.arg(0), "$/") {
			return nil
		}
		left -= part
		out = append(out, share{host: h.arg(0), protocol: protocols[by]})
		parts = append(parts, part)
	}
	if len(out) == 0 || left < 0 {
		return nil
	}
	for i, w := range weights(parts) {
		out[i].weight = w
	}
	return out
}

func (m *importer) splitBlock(variable string) []*statement {
	s := m.variables["split_clients "+variable]
	if s == nil {
		return nil
	}
	sayAll(s)
	return s.kids
}

// weights are the smallest numbers of the same shares, none above 1000.
func weights(parts []int) []int {
	divisor, largest := 0, 0
	for _, p := range parts {
		for a, b := divisor, p; ; a, b = b, a%b {
			if b == 0 {
				divisor = a
				break
			}
		}
		largest = max(largest, p)
	}
	out := make([]int, len(parts))
	for i, p := range parts {
		out[i] = p / max(1, divisor)
	}
	if most := largest / max(1, divisor); most > 1000 {
		for i, p := range parts {
			out[i] = int(math.Round(float64(p) / 10))
			if p > 0 {
				out[i] = max(1, out[i])
			}
		}
	}
	return out
}

// emptyShare says whether a condition is Sluice's own answer to a share without an upstream.
func (m *importer) emptyShare(s *statement) bool {
	args := s.Args()
	if len(args) != 4 || args[1] != "=" || args[2] != "" || len(s.kids) != 1 || s.kids[0].Name() != "return" || s.kids[0].arg(0) != "503" {
		return false
	}
	return m.splitBlock(strings.TrimPrefix(args[0], "(")) != nil
}
