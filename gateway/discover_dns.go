package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// check says what keeps a place from being followed.
func (d Discover) check() error {
	named := 0
	for _, is := range []bool{d.Kubernetes != nil, d.Etcd != nil, d.DNS != nil, d.Manual != nil} {
		if is {
			named++
		}
	}
	if named != 1 {
		return errors.New("an entry of spec.discover names exactly one of kubernetes, etcd, dns and manual")
	}
	switch {
	case d.DNS != nil:
		return d.DNS.check()
	case d.Kubernetes != nil:
		return d.Kubernetes.check()
	case d.Etcd != nil:
		return d.Etcd.check()
	}
	return nil
}

// DNSDiscover follows the addresses that a name has in DNS.
type DNSDiscover struct {
	// Resolver is the name of a resolver in sluice.yaml. Default "default": the name servers
	// of /etc/resolv.conf, unless sluice.yaml says otherwise.
	Resolver string `json:"resolver,omitempty"`
	// Name to look up. Search lists are left aside when it ends in a dot.
	Name string `json:"name"`
	// Type of records: "A", "AAAA" or "SRV". Default: A and AAAA together.
	Type string `json:"type,omitempty"`
	// Port of the endpoints. Needed unless Type is SRV, whose records bring their own.
	Port int `json:"port,omitempty"`
}

// DNSTypes are the record types that DNSDiscover.Type may name.
var DNSTypes = []string{"A", "AAAA", "SRV"}

// place is unique for what the source has to look up. Names differ by case in spelling only.
func (d DNSDiscover) place() string {
	place := cmp.Or(d.Resolver, "default") + "/" + cmp.Or(d.Type, "A+AAAA") + "/" + strings.ToLower(d.Name)
	if d.Type != "SRV" {
		place += ":" + strconv.Itoa(d.Port)
	}
	return place
}

// check says what keeps the place from being followed.
func (d DNSDiscover) check() error {
	_, notAddress := netip.ParseAddr(d.Name)
	switch {
	case notAddress == nil:
		return fmt.Errorf("name %q is an address, not a name: write it under spec.endpoints", d.Name)
	case !validDNSName(d.Name):
		return fmt.Errorf("name %q is not a host name: write letters, digits, hyphens and underscores between dots, such as api.internal or _http._tcp.api.internal", d.Name)
	case d.Type != "" && !slices.Contains(DNSTypes, d.Type):
		return fmt.Errorf("type %q is not known: write %s, or leave it out for A and AAAA", d.Type, strings.Join(DNSTypes, ", "))
	case d.Type == "SRV" && d.Port != 0:
		return fmt.Errorf("port %d can't be used with type SRV, whose records bring their own: leave it out", d.Port)
	case d.Type != "SRV" && (d.Port < 1 || d.Port > 65535):
		return fmt.Errorf("port %d is not a port from 1 to 65535, and %s records bring none", d.Port, cmp.Or(d.Type, "A and AAAA"))
	}
	return nil
}

// validDNSName takes names of RFC 1123 with underscores (RFC 2782), with or without the dot at
// the end.
func validDNSName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}
