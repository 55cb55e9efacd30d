package dns

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"github.com/sluice-gateway/sluice/gateway"
)

// maxTargets bounds the records of one name whose targets are looked up.
const maxTargets = 1000

// services finds the endpoints that SRV records of a name stand for.
func (a *asking) services(ctx context.Context, name string) (finding, error) {
	m, r, err := a.chase(ctx, name, dns.TypeSRV)
	if err != nil || r.absence != "" {
		return finding{absence: r.absence, ttl: r.ttl}, err
	}
	var records []*dns.SRV
	for _, rr := range r.records {
		if s := rr.(*dns.SRV); s.Target != "." { //nolint:forcetypeassert // read asked for this type
			records = append(records, s)
		}
	}
	if len(records) == 0 {
		return finding{absence: gateway.AbsenceDeclared, ttl: r.ttl}, nil
	}
	if len(records) > maxTargets {
		return finding{}, fmt.Errorf("SRV of %s has %d records, more than the %d that are followed", name, len(records), maxTargets)
	}
	hosts, err := a.targets(ctx, m, records)
	if err != nil {
		return finding{}, err
	}
	ttl := r.ttl
	for _, h := range hosts {
		ttl = min(ttl, h.ttl)
	}
	f, err := finish(name, weigh(records, hosts), ttl)
	if err != nil {
		return f, err
	}
	for _, target := range lowered(records) {
		if absence := hosts[target].absence; absence != "" {
			f.problems = append(f.problems, fmt.Sprintf("SRV target %s has no address (%s)", target, absence))
			f.absence, f.doubtful = cmp.Or(f.absence, absence), true
		}
	}
	if len(f.endpoints) > 0 {
		f.absence = ""
	}
	return f, nil
}

// lowered are the targets, each once, sorted.
func lowered(records []*dns.SRV) []string {
	var out []string
	for _, s := range records {
		out = append(out, strings.ToLower(s.Target))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// targets finds the addresses of every target: in the additional section of m if it has some
// for each of them, by asking otherwise. A section that lacks one target was cut to fit, and
// may lack one family of another.
func (a *asking) targets(ctx context.Context, m *dns.Msg, records []*dns.SRV) (map[string]hosted, error) {
	names := lowered(records)
	if given, ok := additional(m, names); ok {
		return given, nil
	}
	found := make([]hosted, len(names))
	var g errgroup.Group
	g.SetLimit(8)
	for i, name := range names {
		g.Go(func() (err error) {
			found[i], err = a.hosts(ctx, name, []uint16{dns.TypeA, dns.TypeAAAA})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := make(map[string]hosted, len(names))
	for i, name := range names {
		out[name] = found[i]
	}
	return out, nil
}

func additional(m *dns.Msg, names []string) (map[string]hosted, bool) {
	records := map[string][]dns.RR{}
	for _, rr := range m.Extra {
		if t := rr.Header().Rrtype; t == dns.TypeA || t == dns.TypeAAAA {
			name := strings.ToLower(rr.Header().Name)
			records[name] = append(records[name], rr)
		}
	}
	out := make(map[string]hosted, len(names))
	for _, name := range names {
		if len(records[name]) == 0 {
			return nil, false
		}
		r := reply{ttl: -1}
		for _, rr := range records[name] {
			r.lives(rr.Header().Ttl)
		}
		out[name] = hosted{addrs: addresses(records[name]), ttl: r.ttl}
	}
	return out, true
}

// weighed is an endpoint in the making.
type weighed struct {
	address          netip.AddrPort
	priority, weight int
}

// finish sorts, keeps of an address that is named twice the one that goes first, and leaves
// out what nobody can connect to, as filters answer for names that they block. When nothing
// else is left, that is no answer about the name.
func finish(name string, list []weighed, ttl time.Duration) (finding, error) {
	f := finding{ttl: ttl}
	slices.SortFunc(list, func(x, y weighed) int {
		return cmp.Or(x.address.Compare(y.address), cmp.Compare(x.priority, y.priority), cmp.Compare(y.weight, x.weight))
	})
	list = slices.CompactFunc(list, func(x, y weighed) bool { return x.address == y.address })
	for _, w := range list {
		address, err := gateway.NormalAddress(w.address.String())
		if err != nil {
			f.problems = append(f.problems, err.Error())
			continue
		}
		f.endpoints = append(f.endpoints, gateway.SourceEndpoint{Address: address, Weight: w.weight, Priority: w.priority})
	}
	if len(list) > 0 && len(f.endpoints) == 0 {
		return finding{}, fmt.Errorf("no address of %s can be used: %s", name, f.problems[0])
	}
	return f, nil
}
