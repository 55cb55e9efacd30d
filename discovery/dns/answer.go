package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/sluice-gateway/sluice/gateway"
)

// maxAliases bounds a chain of CNAMEs.
const maxAliases = 8

// defaultNegative is how long a negative answer without an SOA record holds. RFC 2308 gives
// it no time at all, which would mean to ask without a pause.
const defaultNegative = 5 * time.Second

// reply is what a message says about one name and type.
type reply struct {
	records []dns.RR
	alias   string // the name has to be asked for further under this one
	absence gateway.Absence
	ttl     time.Duration
}

// read follows the aliases inside the message from name to records of the kind.
func read(r *dns.Msg, name string, kind uint16) (reply, error) {
	out := reply{ttl: -1}
	at := name
	for range maxAliases + 1 {
		var next string
		for _, rr := range r.Answer {
			h := rr.Header()
			if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, at) {
				continue
			}
			if h.Rrtype == kind {
				out.records = append(out.records, rr)
				out.lives(h.Ttl)
			} else if c, ok := rr.(*dns.CNAME); ok {
				next = c.Target
				out.lives(h.Ttl)
			}
		}
		switch {
		case len(out.records) > 0:
			return out, nil
		case next == "":
			out.end(r, at, name)
			return out, nil
		}
		at = next
	}
	return reply{}, fmt.Errorf("%s: more than %d aliases (CNAME) in a row", name, maxAliases)
}

// end is the case of a chain that leads to no records: nothing is there, or the server leaves
// it to us to ask on, as one that is not recursive does.
func (p *reply) end(r *dns.Msg, at, name string) {
	negative := r.Rcode == dns.RcodeNameError || slices.ContainsFunc(r.Ns, func(rr dns.RR) bool { _, ok := rr.(*dns.SOA); return ok })
	if !negative && !strings.EqualFold(at, name) {
		p.alias = at
		return
	}
	p.absence = gateway.AbsenceNoData
	if r.Rcode == dns.RcodeNameError {
		p.absence = gateway.AbsenceNXDOMAIN
	}
	for _, rr := range r.Ns {
		if soa, ok := rr.(*dns.SOA); ok { // RFC 2308, section 5
			p.lives(min(soa.Hdr.Ttl, soa.Minttl))
			return
		}
	}
	p.shorten(defaultNegative)
}

// lives shortens the time that the reply holds. RFC 2181, section 8: a TTL with the highest
// bit set is 0.
func (p *reply) lives(seconds uint32) {
	if seconds > 1<<31-1 {
		seconds = 0
	}
	p.shorten(time.Duration(seconds) * time.Second)
}

func (p *reply) shorten(d time.Duration) {
	if p.ttl < 0 || d < p.ttl {
		p.ttl = d
	}
}

// addresses of A and AAAA records, sorted, none twice.
func addresses(records []dns.RR) []netip.Addr {
	var out []netip.Addr
	for _, rr := range records {
		switch rr := rr.(type) {
		case *dns.A:
			if a, ok := netip.AddrFromSlice(rr.A); ok {
				out = append(out, a.Unmap())
			}
		case *dns.AAAA:
			if a, ok := netip.AddrFromSlice(rr.AAAA); ok {
				out = append(out, a.Unmap())
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}
