package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// udpSize is what we say that we take over UDP: it fits into a packet of any usual link, so
// that answers are not fragmented (RFC 9715).
const udpSize = 1232

// exchanger asks one server once over "udp" or "tcp". Tests put another in its place.
type exchanger func(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error)

// exchange sends m and waits until ctx ends for an answer to it. A datagram that answers
// another question is passed over: it is late, or it is somebody's guess.
func exchange(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	defer func() { _ = raw.Close() }()
	conn := &dns.Conn{Conn: raw, UDPSize: 4096} // some servers send more than they were asked to
	if err := conn.WriteMsg(m); err != nil {
		return nil, err
	}
	for {
		r, err := conn.ReadMsg()
		var broken net.Error
		switch {
		case r != nil && answers(m, r) && (err == nil || r.Truncated):
			return r, nil // of a truncated message the last record may be in pieces
		case r != nil && answers(m, r):
			return nil, fmt.Errorf("the answer cannot be read: %w", err)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case network == "tcp" && err == nil:
			return nil, errors.New("the answer is to another question")
		case network == "tcp" || errors.As(err, &broken):
			return nil, err
		}
	}
}

// answers says whether r is an answer to m. A server that could not read the question may
// leave it out.
func answers(m, r *dns.Msg) bool {
	if r.Id != m.Id || !r.Response || r.Opcode != m.Opcode {
		return false
	}
	if len(r.Question) == 0 {
		return r.Rcode == dns.RcodeFormatError || r.Rcode == dns.RcodeNotImplemented || r.Rcode == dns.RcodeServerFailure || r.Rcode == dns.RcodeRefused
	}
	q, a := m.Question[0], r.Question[0]
	return len(r.Question) == 1 && q.Qtype == a.Qtype && q.Qclass == a.Qclass && strings.EqualFold(q.Name, a.Name)
}

// asking is one lookup: whom it asks is settled for its whole length.
type asking struct {
	setup
	exchange exchanger
	servers  *servers
	first    int // the server to begin with
}

// ask puts one question to the servers in turn until one gives an answer that means
// something: records, or that there are none.
func (a *asking) ask(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	last := map[string]error{}
	order := a.servers.inTurn(a.setup.servers, a.first, time.Now())
	for range a.attempts {
		for _, server := range order {
			r, err := a.one(ctx, server, name, kind)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			a.servers.answered(server, err == nil || !unreachable(err), time.Now())
			if err == nil {
				return r, nil
			}
			last[server] = err
		}
	}
	var said []string
	for _, server := range order {
		said = append(said, fmt.Sprintf("%s: %v", server, last[server]))
	}
	return nil, fmt.Errorf("ask for %s of %s: %s", typeName(kind), name, strings.Join(said, "; "))
}

// one asks one server, over TCP when UDP was too small, and without EDNS0 when the server
// does not know it (RFC 6891, section 7).
func (a *asking) one(ctx context.Context, server, name string, kind uint16) (*dns.Msg, error) {
	m := new(dns.Msg).SetQuestion(name, kind)
	m.SetEdns0(udpSize, false)
	r, err := a.once(ctx, "udp", server, m)
	if err == nil && r.IsEdns0() == nil && (r.Rcode == dns.RcodeFormatError || r.Rcode == dns.RcodeNotImplemented) {
		m = new(dns.Msg).SetQuestion(name, kind)
		r, err = a.once(ctx, "udp", server, m)
	}
	if err == nil && r.Truncated {
		m.Id = dns.Id()
		r, err = a.once(ctx, "tcp", server, m)
	}
	if err != nil {
		return nil, err
	}
	return r, meaning(r)
}

// errSilent is that nothing came back in time.
type errSilent struct{ after time.Duration }

func (e errSilent) Error() string { return fmt.Sprintf("no answer within %v", e.after) }

func (a *asking) once(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	bounded, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	r, err := a.exchange(bounded, network, server, m)
	if err != nil && (bounded.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded)) {
		err = errSilent{a.timeout}
	}
	if err != nil && network == "tcp" {
		err = fmt.Errorf("over TCP: %w", err)
	}
	return r, err
}

// unreachable says whether nobody spoke.
func unreachable(err error) bool {
	var silent errSilent
	return errors.As(err, &silent) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}

// meaning is nil for an answer about the name, be it positive or negative.
func meaning(r *dns.Msg) error {
	switch {
	case r.Truncated:
		return errors.New("the answer is cut off even over TCP")
	case r.Rcode == dns.RcodeNameError:
		return nil
	case r.Rcode != dns.RcodeSuccess:
		if name, ok := dns.RcodeToString[r.Rcode]; ok {
			return errors.New(name)
		}
		return fmt.Errorf("answer code %d", r.Rcode)
	case referral(r):
		return errors.New("a referral to other servers: it is not a recursive resolver, nor does it have the zone")
	}
	return nil
}

// referral tells a referral from an answer without records: RFC 2308, section 2.2.
func referral(r *dns.Msg) bool {
	if r.Authoritative || len(r.Answer) > 0 {
		return false
	}
	ns := false
	for _, rr := range r.Ns {
		switch rr.(type) {
		case *dns.SOA:
			return false
		case *dns.NS:
			ns = true
		}
	}
	return ns
}
