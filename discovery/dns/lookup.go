package dns

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"github.com/sluice-gateway/sluice/gateway"
)

// finding is what a lookup found out about a question.
type finding struct {
	endpoints []gateway.SourceEndpoint // sorted by address, none twice
	problems  []string
	absence   gateway.Absence // with no endpoints: why
	doubtful  bool            // takes somebody out on the word of one negative answer
	ttl       time.Duration
}

// lookup tries the names of the search list in turn. A name that cannot be asked for ends it:
// what a later one has may belong to somebody else.
func (a *asking) lookup(ctx context.Context, q question) (finding, error) {
	var nothing finding
	for i, name := range q.names(a.search, a.ndots) {
		f, err := a.find(ctx, q, name)
		if err != nil || f.absence == "" || f.absence == gateway.AbsenceDeclared {
			return f, err
		}
		if i == 0 || f.ttl < nothing.ttl {
			nothing.ttl = f.ttl
		}
		// A name that exists without such records says more than one that does not.
		if nothing.absence != gateway.AbsenceNoData {
			nothing.absence = f.absence
		}
	}
	nothing.doubtful = true
	return nothing, nil
}

func (a *asking) find(ctx context.Context, q question, name string) (finding, error) {
	if q.kind == "SRV" {
		return a.services(ctx, name)
	}
	found, err := a.hosts(ctx, name, q.families())
	if err != nil && q.kind == "" {
		err = fmt.Errorf("%w (give type A or AAAA if only one of them is ever answered)", err)
	}
	if err != nil {
		return finding{}, err
	}
	if found.absence != "" {
		return finding{absence: found.absence, ttl: found.ttl}, nil
	}
	var list []weighed
	for _, addr := range found.addrs {
		list = append(list, weighed{address: netip.AddrPortFrom(addr, q.port), weight: 1})
	}
	return finish(name, list, found.ttl)
}

// hosted is the addresses of one name.
type hosted struct {
	addrs   []netip.Addr
	absence gateway.Absence
	ttl     time.Duration
}

// hosts asks for every family at a time. All have to be answered.
func (a *asking) hosts(ctx context.Context, name string, families []uint16) (hosted, error) {
	replies := make([]reply, len(families))
	var g errgroup.Group
	for i, kind := range families {
		g.Go(func() (err error) {
			replies[i], err = a.records(ctx, name, kind)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return hosted{}, err
	}
	var records []dns.RR
	out := hosted{absence: gateway.AbsenceNXDOMAIN, ttl: replies[0].ttl}
	for _, r := range replies {
		records = append(records, r.records...)
		out.ttl = min(out.ttl, r.ttl)
		if r.absence != gateway.AbsenceNXDOMAIN {
			out.absence = gateway.AbsenceNoData
		}
	}
	if out.addrs = addresses(records); len(out.addrs) > 0 {
		out.absence = ""
		out.ttl = positive(replies)
	}
	return out, nil
}

// positive is how long the addresses hold. The other family's absence may be repeated
// oftener, which is no reason to ask for both of them so often.
func positive(replies []reply) time.Duration {
	ttl := time.Duration(-1)
	for _, r := range replies {
		if r.absence == "" && (ttl < 0 || r.ttl < ttl) {
			ttl = r.ttl
		}
	}
	return ttl
}

// records asks for one type, and on for the target of an alias that the answer ends with.
func (a *asking) records(ctx context.Context, name string, kind uint16) (reply, error) {
	_, r, err := a.chase(ctx, name, kind)
	return r, err
}

// chase also gives the last message, for its additional section.
func (a *asking) chase(ctx context.Context, name string, kind uint16) (*dns.Msg, reply, error) {
	ttl := time.Duration(-1)
	for at, hops := name, 0; hops <= maxAliases; hops++ {
		m, err := a.ask(ctx, at, kind)
		if err != nil {
			return nil, reply{}, err
		}
		r, err := read(m, at, kind)
		if err != nil {
			return nil, reply{}, err
		}
		if ttl >= 0 {
			r.shorten(ttl)
		}
		if r.alias == "" {
			return m, r, nil
		}
		at, ttl = strings.ToLower(r.alias), r.ttl
	}
	return nil, reply{}, fmt.Errorf("%s: more than %d aliases (CNAME) in a row", name, maxAliases)
}
