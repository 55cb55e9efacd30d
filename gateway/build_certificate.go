package gateway

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"
)

// expiryWarning is how long before its end a certificate becomes a Problem, but at most a
// third of its life: short-lived ones are renewed late on purpose.
const expiryWarning = 14 * 24 * time.Hour

// EffectiveCertificate is a certificate that can be used, with the hosts that it is used
// for.
type EffectiveCertificate struct {
	Key CertificateKey `json:"key"`
	// Hosts are the names whose handshakes it answers, sorted: exact ones, and wildcards
	// for one label. Of two certificates with the same name the older one has it, but an
	// expired one leaves it to one that is not.
	Hosts      []string          `json:"hosts"`
	Status     CertificateStatus `json:"status"`
	Chain      string            `json:"chain"`
	PrivateKey Secret            `json:"privateKey"`
	ClientAuth *ClientAuth       `json:"clientAuth,omitempty"`

	pair     *tls.Certificate
	problems []Problem
	// servesNobody are problems only as long as no upstream uses the certificate.
	servesNobody []Problem
}

// Pair is the certificate as crypto/tls takes it. It is read-only.
func (e *EffectiveCertificate) Pair() (*tls.Certificate, error) {
	if e.pair != nil {
		return e.pair, nil
	}
	return ParseCertificate(e.Chain, e.PrivateKey) // the snapshot was not made by Build
}

// Certificate finds a certificate by key, or returns nil.
func (s *Snapshot) Certificate(k CertificateKey) *EffectiveCertificate {
	i, ok := slices.BinarySearchFunc(s.Certificates, k, func(c *EffectiveCertificate, k CertificateKey) int { return c.Key.Compare(k) })
	if !ok {
		return nil
	}
	return s.Certificates[i]
}

// Compare orders keys by tenant and name.
func (k CertificateKey) Compare(o CertificateKey) int {
	return cmp.Or(cmp.Compare(k.Tenant, o.Tenant), cmp.Compare(k.Name, o.Name))
}

func sortedCertificates(list []*EffectiveCertificate) []*EffectiveCertificate {
	return slices.SortedFunc(slices.Values(list), compareCertificates)
}

// buildCertificates reads the certificates, oldest first, and settles who answers for
// which name: those whose dates are good first.
func (b *builder) buildCertificates() {
	var late []*wantedCertificate
	taken := map[string]CertificateKey{}
	for _, c := range b.in.Certificates {
		w := b.wanted(c)
		switch {
		case w == nil:
		case w.current:
			b.assign(w, taken)
		default:
			late = append(late, w)
		}
	}
	for _, w := range late {
		b.assign(w, taken)
	}
}

// wantedCertificate is a usable certificate and the names that it would answer for.
type wantedCertificate struct {
	*EffectiveCertificate
	ref     Ref
	hosts   []string
	current bool // its dates are good
}

// wanted checks a certificate; nil, with a Problem, when it cannot be used.
func (b *builder) wanted(c *Certificate) *wantedCertificate {
	if b.tenants[c.Tenant] == nil {
		b.reportOrphan(&c.Meta)
		return nil
	}
	pair, bad := b.pair(c)
	if bad != nil {
		b.report(Problem{Object: c.Ref(), Field: bad.field, Code: bad.code, Message: bad.message})
		return nil
	}
	if field, err := checkClientAuth(c.Spec.ClientAuth); err != nil {
		b.report(Problem{Object: c.Ref(), Field: field, Code: "client_auth_invalid",
			Message: sentence(err) + " The certificate is not used, since without this its hosts would be open to everyone."})
		return nil
	}
	w := &wantedCertificate{ref: c.Ref(), EffectiveCertificate: &EffectiveCertificate{Key: c.Key(), Hosts: []string{}, Status: *describe(pair.Leaf),
		Chain: c.Spec.Certificate, PrivateKey: c.Spec.Key, ClientAuth: c.Spec.ClientAuth, pair: pair}}
	w.current = b.checkDates(c, w.Status)
	if len(c.Spec.Hosts) > 0 {
		w.hosts = b.namedHosts(c, w.Status.Names)
	} else {
		w.hosts = b.ownHosts(c, w)
	}
	return w
}

// pair parses a certificate, unless an earlier build has done so.
func (b *builder) pair(c *Certificate) (*tls.Certificate, *badCertificate) {
	if b.in.Before != nil {
		if e := b.in.Before.Certificate(c.Key()); e != nil && e.pair != nil && e.Chain == c.Spec.Certificate && e.PrivateKey == c.Spec.Key {
			return e.pair, nil
		}
	}
	return parsePair(c.Spec.Certificate, c.Spec.Key)
}

func checkClientAuth(a *ClientAuth) (field string, err error) {
	switch {
	case a == nil:
		return "", nil
	case a.Mode != ClientAuthRequire && a.Mode != ClientAuthRequest:
		return "spec.clientAuth.mode", fmt.Errorf("mode %q is not known: write require or request", a.Mode)
	}
	if _, err := a.ClientCAs(); err != nil {
		return "spec.clientAuth.ca", fmt.Errorf("the authorities of client certificates cannot be read: %w", err)
	}
	return "", nil
}

// checkDates says whether a certificate is good at this time, and reports when it is not,
// or will soon not be.
func (b *builder) checkDates(c *Certificate, s CertificateStatus) bool {
	now := b.in.Now
	if now.IsZero() {
		return true
	}
	warn := s.NotAfter.Add(-min(expiryWarning, s.NotAfter.Sub(s.NotBefore)/3))
	b.wake(s.NotBefore, warn, s.NotAfter.Add(time.Second)) // a certificate is good to the end of its last second
	problem := func(code, format string, args ...any) {
		b.report(Problem{Object: c.Ref(), Field: "spec.certificate", Code: code, Message: fmt.Sprintf(format, args...)})
	}
	switch {
	case now.Before(s.NotBefore):
		problem("certificate_too_early", "The certificate is good from %s on, and clients refuse it until then: use another one, or check the clock.", s.NotBefore.Format(time.RFC3339))
		return false
	case now.After(s.NotAfter):
		problem("certificate_expired", "The certificate expired on %s, and clients refuse it: put a new one in its place.", s.NotAfter.Format(time.RFC3339))
		return false
	case !now.Before(warn):
		problem("certificate_expiring", "The certificate expires on %s: put a new one in its place.", s.NotAfter.Format(time.RFC3339))
	}
	return true
}

// wake notes the next time at which one of the given times has passed.
func (b *builder) wake(times ...time.Time) {
	for _, t := range times {
		if t.After(b.in.Now) && (b.next.IsZero() || t.Before(b.next)) {
			b.next = t
		}
	}
}

// namedHosts are those of spec.hosts that the certificate covers and its tenant owns.
func (b *builder) namedHosts(c *Certificate, names []string) []string {
	var out []string
	for i, raw := range c.Spec.Hosts {
		problem := func(code, message string) {
			b.report(Problem{Object: c.Ref(), Field: index("spec.hosts", i), Code: code, Message: message})
		}
		h, err := NormalHost(raw)
		switch {
		case err != nil:
			problem("host_invalid", sentence(err))
		case !slices.ContainsFunc(names, func(n string) bool { return covers(n, h) }):
			problem("host_not_covered", fmt.Sprintf("The certificate is not good for host %q: its names are %s.", h, listed(names)))
		case b.ownerOf(h) != c.Tenant:
			problem("host_not_owned", b.notOwned(h, c.Tenant))
		default:
			out = append(out, h)
		}
	}
	return out
}

// ownHosts are the names of the certificate that its tenant owns, and of a wildcard that it
// does not own as a whole, the tenant's claims below it.
func (b *builder) ownHosts(c *Certificate, w *wantedCertificate) []string {
	var out []string
	note := func(code, message string) {
		w.servesNobody = append(w.servesNobody, Problem{Object: w.ref, Field: "spec.certificate", Code: code, Message: message, Source: "build"})
	}
	for _, n := range w.Status.Names {
		if b.ownerOf(n) == c.Tenant {
			out = append(out, n)
			continue
		}
		below := b.claimsBelow(c.Tenant, n)
		out = append(out, below...)
		if below == nil {
			note("host_not_owned", b.notOwned(n, c.Tenant)+" To leave it out, list the others under spec.hosts.")
		}
	}
	if len(w.Status.Names) == 0 {
		note("host_missing", "The certificate holds no DNS name, so no host is served with it: use one with the names of its hosts.")
	}
	return out
}

func (b *builder) claimsBelow(tenant, name string) []string {
	var out []string
	for _, raw := range b.tenants[tenant].Spec.Hosts {
		if h, err := NormalHost(raw); err == nil && b.claims[h] == tenant && covers(name, h) {
			out = append(out, h)
		}
	}
	return out
}

func (b *builder) notOwned(host, tenant string) string {
	if owner := b.ownerOf(host); owner != "" {
		return fmt.Sprintf("Host %q belongs to tenant %q, so a certificate of tenant %q is not used for it.", host, owner, tenant)
	}
	return fmt.Sprintf("Host %q is not among the hosts of tenant %q, so the certificate is not used for it: an administrator adds it to the Tenant's spec.hosts.", host, tenant)
}

// assign gives a certificate the names that nobody before it has.
func (b *builder) assign(w *wantedCertificate, taken map[string]CertificateKey) {
	for _, h := range w.hosts {
		first, ok := taken[h]
		switch {
		case !ok:
			taken[h] = w.Key
			w.Hosts = append(w.Hosts, h)
		case first != w.Key && w.current:
			w.problems = append(w.problems, Problem{Object: w.ref, Field: "spec.certificate", Code: "host_taken", Source: "build",
				Message: fmt.Sprintf("Host %q is served with certificate %q, which is older: delete one of them, or narrow it by spec.hosts.", h, first.Name)})
		}
	}
	slices.Sort(w.Hosts)
	b.certs = append(b.certs, w.EffectiveCertificate)
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// certificateProblems are those that depend on which upstreams use which certificate.
func (s *Snapshot) certificateProblems() []Problem {
	var out []Problem
	used := map[CertificateKey]bool{}
	for i := range s.runs {
		for _, u := range s.runs[i].certified {
			k := CertificateKey{u.Key.Tenant, u.TLS.Certificate}
			used[k] = true
			if s.Certificate(k) == nil {
				out = append(out, Problem{Object: Ref{Kind: KindUpstream, Tenant: u.Key.Tenant, Name: u.Key.Name}, Field: "spec.tls.certificate", Code: "certificate_unknown", Source: "build",
					Message: fmt.Sprintf("Tenant %q has no usable certificate %q, so no connection is made: create the Certificate, or settle what is wrong with it.", k.Tenant, k.Name)})
			}
		}
	}
	for _, c := range s.Certificates {
		out = append(out, c.problems...)
		if !used[c.Key] {
			out = append(out, c.servesNobody...)
		}
	}
	return out
}
