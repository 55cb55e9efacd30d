package dns

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/sluice-gateway/sluice/gateway"
)

// question is what one follower asks. Equal questions share a follower.
type question struct {
	name string // as written, lower case; complete when it ends in a dot
	kind string // "", "A", "AAAA" or "SRV"
	port uint16 // of A and AAAA
}

func questionOf(d gateway.DNSDiscover) question {
	return question{name: strings.ToLower(d.Name), kind: d.Type, port: uint16(d.Port)} //nolint:gosec // gateway.Build lets ports of 1 to 65535 through
}

// String is for logs and messages: "SRV _http._tcp.api.internal".
func (q question) String() string {
	if q.kind == "" {
		return "A and AAAA " + q.name
	}
	return q.kind + " " + q.name
}

// families are the types of addresses that are looked for.
func (q question) families() []uint16 {
	switch q.kind {
	case "A":
		return []uint16{dns.TypeA}
	case "AAAA":
		return []uint16{dns.TypeAAAA}
	}
	return []uint16{dns.TypeA, dns.TypeAAAA}
}

// names are the complete names to try, in order, as resolv.conf(5) has it: one with enough
// dots is tried as it is first, another with the search list first.
func (q question) names(search []string, ndots int) []string {
	if strings.HasSuffix(q.name, ".") {
		return []string{q.name}
	}
	var list []string
	for _, s := range search {
		full := dns.Fqdn(q.name + "." + strings.TrimPrefix(s, "."))
		if _, ok := dns.IsDomainName(full); ok {
			list = append(list, strings.ToLower(full))
		}
	}
	if strings.Count(q.name, ".") >= ndots {
		return append([]string{q.name + "."}, list...)
	}
	return append(list, q.name+".")
}

func typeName(t uint16) string {
	if s, ok := dns.TypeToString[t]; ok {
		return s
	}
	return fmt.Sprintf("TYPE%d", t)
}
