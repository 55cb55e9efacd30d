package names

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Updater announces names by dynamic updates (RFC 2136).
//
// Beside each name stands a TXT record at "_sluice." and the name that says whose it is.
// Prerequisites see to it that a name is made only where nobody has anything, and changed or
// deleted only while that record is ours. The server checks them together with the update,
// so nobody can come in between.
type Updater struct {
	// Server is "IP:port" of the zone's primary, asked over TCP.
	Server string
	// Zone that all names are in.
	Zone string
	// Owner tells this Sluice from others that write to the zone.
	Owner string
	// TSIG signs the updates (RFC 8945). nil: not signed, for servers that go by the address.
	TSIG *TSIG
	// Timeout of one exchange. Default 5s.
	Timeout time.Duration
}

// TSIG is a key that the server knows too.
type TSIG struct {
	Name string
	// Algorithm is one of TSIGAlgorithms. Default hmac-sha256.
	Algorithm string
	// SecretFile holds the secret in base64. It is read for each update.
	SecretFile string
}

// TSIGAlgorithms are those that TSIG.Algorithm may name.
var TSIGAlgorithms = []string{"hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1"}

// Secret reads the file.
func (k TSIG) Secret() (string, error) {
	text, err := os.ReadFile(k.SecretFile)
	if err != nil {
		return "", fmt.Errorf("read the TSIG secret: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if b, err := base64.StdEncoding.DecodeString(secret); err != nil || len(b) == 0 {
		return "", fmt.Errorf("the TSIG secret in %s is not base64", k.SecretFile)
	}
	return secret, nil
}

// addressed are the types that we own at a name.
var addressed = []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeCNAME}

// Announce implements [Announcer] in up to three messages, of which one at most changes
// anything: create; or see that all is as it should be; or replace what is ours.
func (u *Updater) Announce(ctx context.Context, r Record) error {
	ours, records := u.ours(r), u.records(r)
	create := u.message()
	create.NameNotUsed([]dns.RR{ours[0], records[0]})
	create.Insert(append(u.records(r), u.ours(r)...))
	code, err := u.send(ctx, create, dns.RcodeYXDomain, dns.RcodeYXRrset)
	if err != nil || code == dns.RcodeSuccess {
		return err
	}
	check := u.message()
	check.Used(append(u.records(r), u.ours(r)...))
	for _, t := range addressed {
		if !slices.ContainsFunc(records, func(rr dns.RR) bool { return rr.Header().Rrtype == t }) {
			check.RRsetNotUsed([]dns.RR{u.empty(r.Host, t)})
		}
	}
	code, err = u.send(ctx, check, dns.RcodeNXRrset, dns.RcodeYXRrset)
	if err != nil || code == dns.RcodeSuccess && u.sameTTL(ctx, records) {
		return err
	}
	replace := u.message()
	replace.Used(u.ours(r))
	u.remove(replace, r.Host)
	replace.Insert(u.records(r))
	code, err = u.send(ctx, replace, dns.RcodeNXRrset)
	if err == nil && code == dns.RcodeNXRrset {
		return fmt.Errorf("%w: %s is in zone %s without a record at _sluice.%s that names owner %q", ErrTaken, r.Host, u.Zone, r.Host, u.Owner)
	}
	return err
}

// Withdraw implements [Announcer] in one message.
func (u *Updater) Withdraw(ctx context.Context, r Record) error {
	m := u.message()
	m.Used(u.ours(r))
	u.remove(m, r.Host)
	m.RemoveRRset([]dns.RR{u.ours(r)[0]})
	_, err := u.send(ctx, m, dns.RcodeNXRrset)
	return err
}

func (u *Updater) remove(m *dns.Msg, host string) {
	for _, t := range addressed {
		m.RemoveRRset([]dns.RR{u.empty(host, t)})
	}
}

func (u *Updater) message() *dns.Msg { return new(dns.Msg).SetUpdate(dns.Fqdn(u.Zone)) }

func (u *Updater) empty(host string, kind uint16) dns.RR {
	return &dns.ANY{Hdr: dns.RR_Header{Name: dns.Fqdn(host), Rrtype: kind}}
}

// ours is the record of the owner. It is made anew each time, for miekg/dns writes into it.
func (u *Updater) ours(r Record) []dns.RR {
	return []dns.RR{&dns.TXT{Hdr: u.header(r, "_sluice."+r.Host, dns.TypeTXT), Txt: []string{"heritage=sluice,owner=" + u.Owner}}}
}

func (u *Updater) records(r Record) []dns.RR {
	if r.Target.CNAME != "" {
		return []dns.RR{&dns.CNAME{Hdr: u.header(r, r.Host, dns.TypeCNAME), Target: dns.Fqdn(r.Target.CNAME)}}
	}
	var out []dns.RR
	for _, a := range r.Target.Addresses {
		if a.Is4() {
			out = append(out, &dns.A{Hdr: u.header(r, r.Host, dns.TypeA), A: net.IP(a.AsSlice())})
		} else {
			out = append(out, &dns.AAAA{Hdr: u.header(r, r.Host, dns.TypeAAAA), AAAA: net.IP(a.AsSlice())})
		}
	}
	return out
}

func (u *Updater) header(r Record, name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: dns.Fqdn(name), Rrtype: kind, Class: dns.ClassINET, Ttl: uint32(r.Target.TTL / time.Second)} //nolint:gosec // sluice.yaml takes up to a day
}

// sameTTL asks the server for the records: prerequisites do not look at times to live.
func (u *Updater) sameTTL(ctx context.Context, records []dns.RR) bool {
	h := records[0].Header()
	q := new(dns.Msg).SetQuestion(h.Name, h.Rrtype)
	answer, err := u.exchange(ctx, q)
	if err != nil {
		return true // it may not answer questions; what it said to the update stands
	}
	for _, rr := range answer.Answer {
		if rr.Header().Rrtype == h.Rrtype && rr.Header().Ttl != h.Ttl {
			return false
		}
	}
	return true
}

// send signs and sends an update. An answer of one of the expected codes is no error.
func (u *Updater) send(ctx context.Context, m *dns.Msg, expected ...int) (int, error) {
	r, err := u.exchange(ctx, m)
	if err != nil {
		return 0, fmt.Errorf("update zone %s at %s: %w", u.Zone, u.Server, err)
	}
	if r.Rcode == dns.RcodeSuccess || slices.Contains(expected, r.Rcode) {
		return r.Rcode, nil
	}
	return r.Rcode, fmt.Errorf("update zone %s at %s: the server answers %s", u.Zone, u.Server, reason(r))
}

func (u *Updater) exchange(ctx context.Context, m *dns.Msg) (*dns.Msg, error) {
	timeout := u.Timeout
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client := &dns.Client{Net: "tcp", Timeout: timeout}
	if u.TSIG != nil {
		secret, err := u.TSIG.Secret()
		if err != nil {
			return nil, err
		}
		name := dns.CanonicalName(u.TSIG.Name)
		client.TsigSecret = map[string]string{name: secret}
		algorithm := u.TSIG.Algorithm
		if algorithm == "" {
			algorithm = TSIGAlgorithms[0]
		}
		m.SetTsig(name, dns.Fqdn(algorithm), 300, time.Now().Unix())
	}
	r, _, err := client.ExchangeContext(ctx, m, u.Server)
	if r != nil && r.Rcode != dns.RcodeSuccess && (errors.Is(err, dns.ErrAuth) || errors.Is(err, dns.ErrSig) || errors.Is(err, dns.ErrTime) || errors.Is(err, dns.ErrNoSig) || errors.Is(err, dns.ErrSecret) || errors.Is(err, dns.ErrKeyAlg)) {
		return r, nil // a server that does not take our key can't sign its refusal with it
	}
	return r, err
}

// reason is the answer's code, and what the server says of our signature.
func reason(r *dns.Msg) string {
	code := dns.RcodeToString[r.Rcode]
	if t := r.IsTsig(); t != nil && t.Error != 0 {
		switch t.Error {
		case dns.RcodeBadTime:
			return code + ": the clocks differ by more than five minutes"
		case dns.RcodeBadKey:
			return code + ": it does not know the TSIG key by this name and algorithm"
		case dns.RcodeBadSig:
			return code + ": the TSIG secrets differ"
		}
	}
	if r.Rcode == dns.RcodeRefused || r.Rcode == dns.RcodeNotAuth || r.Rcode == dns.RcodeNotZone {
		code += ": see that it is the primary of the zone and allows updates with this key"
	}
	return code
}
