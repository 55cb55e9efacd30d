package gateway

import (
	"errors"
	"fmt"
	"strings"
)

// claimHosts settles who owns which host, oldest tenant first.
func (b *builder) claimHosts() {
	for _, t := range b.in.Tenants {
		for i, raw := range t.Spec.Hosts {
			host, err := NormalHost(raw)
			if err != nil {
				b.report(Problem{Object: t.Ref(), Field: index("spec.hosts", i), Code: "host_invalid", Message: sentence(err)})
				continue
			}
			owner, taken := b.claims[host]
			if taken && owner != t.Name {
				b.report(Problem{Object: t.Ref(), Field: index("spec.hosts", i), Code: "host_taken",
					Message: fmt.Sprintf("Host %q belongs to tenant %q, which claimed it first: take it out here, or there.", host, owner)})
			}
			if !taken {
				b.claims[host] = t.Name
				b.hosts[host] = &Host{Name: host, Tenant: t.Name}
			}
		}
	}
}

// ownerOf finds the tenant with the most specific claim that covers host, or "".
func (b *builder) ownerOf(host string) string {
	if t, ok := b.claims[host]; ok {
		return t
	}
	for rest := strings.TrimPrefix(host, "*."); ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return b.claims["*"]
		}
		if t, ok := b.claims["*."+after]; ok {
			return t
		}
		rest = after
	}
}

// NormalHost checks a host as written in an object and returns it in lower case. It takes
// names of letters, digits, "-" and "_" in labels of at most 63 bytes (RFC 1123 and what is
// found in the field), IPv4 addresses, one leading "*." and "*" alone. Ports and IPv6
// literals are refused: a route matches the name only.
func NormalHost(host string) (string, error) {
	h := strings.ToLower(strings.TrimSuffix(host, "."))
	if h == "*" {
		return h, nil
	}
	name := strings.TrimPrefix(h, "*.")
	if name == "" {
		return "", errors.New("a host is empty: write a name such as shop.example.com, *.example.com or *")
	}
	if len(name) > 253 {
		return "", fmt.Errorf("host %q is longer than 253 bytes", host)
	}
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return "", fmt.Errorf("host %q: %w", host, err)
		}
	}
	return h, nil
}

func checkLabel(label string) error {
	switch {
	case label == "":
		return errors.New("a label between dots is empty")
	case len(label) > 63:
		return errors.New("a label is longer than 63 bytes")
	case strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-"):
		return fmt.Errorf("label %q begins or ends with a hyphen", label)
	}
	for _, c := range label {
		if c == '*' {
			return errors.New("a wildcard is written as *.example.com: the star stands alone and first")
		}
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return fmt.Errorf("%q can't stand in a host name: write the name only, without scheme, port or path, and international names in their xn-- form", c)
		}
	}
	return nil
}
