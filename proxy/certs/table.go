package certs

import (
	"crypto/tls"
	"crypto/x509"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// Entry is a certificate in use.
type Entry struct {
	Pair *tls.Certificate
	// Policy is how clients are asked for certificates; nil: not at all.
	Policy *Policy

	from *gateway.EffectiveCertificate
}

// Policy asks clients for certificates. Equal ones are the same pointer as long as they are
// in use, so a connection that was verified under one is good for every host that has it.
type Policy struct {
	// Required says that clients without a certificate are refused.
	Required bool
	// CAs are those who may issue client certificates.
	CAs *x509.CertPool
}

// Table finds certificates by name. It is only read.
type Table struct {
	exact    map[string]*Entry
	wildcard map[string]*Entry // by what stands behind "*."
	entries  map[gateway.CertificateKey]*Entry
	policies map[gateway.ClientAuth]*Policy
}

// Compile makes the table of certificates from a snapshot. What did not change since before
// (nil: there is none) is used again. Build lets no certificate through that cannot be used;
// one in a snapshot from elsewhere is left out.
func Compile(list []*gateway.EffectiveCertificate, before *Table) *Table {
	if before == nil {
		before = &Table{}
	}
	t := &Table{exact: map[string]*Entry{}, wildcard: map[string]*Entry{}, entries: make(map[gateway.CertificateKey]*Entry, len(list)),
		policies: map[gateway.ClientAuth]*Policy{}}
	for _, c := range list {
		e, err := t.entry(c, before)
		if err != nil {
			continue
		}
		t.entries[c.Key] = e
		for _, h := range c.Hosts {
			if parent, ok := strings.CutPrefix(h, "*."); ok {
				t.wildcard[parent] = e
			} else {
				t.exact[h] = e
			}
		}
	}
	return t
}

func (t *Table) entry(c *gateway.EffectiveCertificate, before *Table) (*Entry, error) {
	policy, err := t.policy(c.ClientAuth, before)
	if err != nil {
		return nil, err
	}
	e := &Entry{Policy: policy, from: c}
	if old := before.entries[c.Key]; old != nil && old.from.Chain == c.Chain && old.from.PrivateKey == c.PrivateKey {
		e.Pair = old.Pair
		return e, nil
	}
	e.Pair, err = c.Pair()
	return e, err
}

// policy finds or makes the policy of a certificate.
func (t *Table) policy(a *gateway.ClientAuth, before *Table) (*Policy, error) {
	if a == nil {
		return nil, nil
	}
	if t.policies[*a] == nil {
		p := before.policies[*a]
		if p == nil {
			cas, err := a.ClientCAs()
			if err != nil {
				return nil, err
			}
			p = &Policy{Required: a.Mode != gateway.ClientAuthRequest, CAs: cas}
		}
		t.policies[*a] = p
	}
	return t.policies[*a], nil
}

// Find gives the certificate for a name in lower case, or nil.
func (t *Table) Find(name string) *Entry {
	if e := t.exact[name]; e != nil {
		return e
	}
	return t.wildcard[parent(name)]
}

// Guards says whether any host asks its clients for certificates.
func (t *Table) Guards() bool { return t != nil && len(t.policies) > 0 }

// PolicyOf is the policy for a request to host, in any case; nil: everybody may ask.
func (t *Table) PolicyOf(host []byte) *Policy {
	var lower [256]byte
	if len(host) > len(lower) {
		return nil // no name is as long as that
	}
	b := lower[:copy(lower[:], host)]
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	if n := len(b); n > 0 && b[n-1] == '.' {
		b = b[:n-1]
	}
	e := t.exact[string(b)]
	if e == nil {
		e = t.wildcard[parent(string(b))]
	}
	if e == nil {
		return nil
	}
	return e.Policy
}

// parent is a name without its first label; "" when there is but one.
func parent(name string) string {
	_, after, _ := strings.Cut(name, ".")
	return after
}
