package names

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Service is a Kubernetes Service that an upstream follows.
type Service struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	Tenant    string `json:"tenant"`
	// Upstream is the oldest one that follows it, where problems are shown.
	Upstream string `json:"upstream"`
}

// same says whether both are one Service, whoever follows it.
func (s Service) same(o Service) bool {
	return s.Cluster == o.Cluster && s.Namespace == o.Namespace && s.Service == o.Service
}

func (s Service) compare(o Service) int {
	return cmp.Or(cmp.Compare(s.Cluster, o.Cluster), cmp.Compare(s.Namespace, o.Namespace), cmp.Compare(s.Service, o.Service),
		cmp.Compare(s.Tenant, o.Tenant), cmp.Compare(s.Upstream, o.Upstream))
}

// Target is what names lead to: addresses or another name, for TTL.
type Target struct {
	Addresses []netip.Addr  `json:"addresses,omitempty"`
	CNAME     string        `json:"cname,omitempty"`
	TTL       time.Duration `json:"ttl"`
}

func (t Target) equal(o Target) bool {
	return t.CNAME == o.CNAME && t.TTL == o.TTL && slices.Equal(t.Addresses, o.Addresses)
}

// Rule gives each service a host.
type Rule struct{ pattern string }

var (
	variable = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)
	hostName = regexp.MustCompile(`^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
)

// ParseRule reads a pattern such as "{{service}}.{{namespace}}.svc.example.com". It may also
// hold {{tenant}} and {{cluster}}.
func ParseRule(pattern string) (Rule, error) {
	r := Rule{pattern: variable.ReplaceAllString(strings.ToLower(pattern), "{{$1}}")}
	seen := map[string]bool{}
	for _, m := range variable.FindAllStringSubmatch(r.pattern, -1) {
		if !slices.Contains([]string{"service", "namespace", "tenant", "cluster"}, m[1]) {
			return Rule{}, fmt.Errorf("%q: {{%s}} is not known: use {{service}}, {{namespace}}, {{tenant}} and {{cluster}}", pattern, m[1])
		}
		seen[m[1]] = true
	}
	if !seen["service"] || !seen["namespace"] {
		return Rule{}, fmt.Errorf("%q: every service needs a name of its own: use {{service}} and {{namespace}}", pattern)
	}
	if _, err := r.Host(Service{Cluster: "c", Namespace: "n", Service: "s", Tenant: "t"}); err != nil {
		return Rule{}, fmt.Errorf("%q does not make host names: write it like {{service}}.{{namespace}}.svc.example.com", pattern)
	}
	return r, nil
}

// Host is the name of a service. The error says why it can't have one.
func (r Rule) Host(s Service) (string, error) {
	host := strings.NewReplacer("{{service}}", s.Service, "{{namespace}}", s.Namespace, "{{tenant}}", s.Tenant, "{{cluster}}", s.Cluster).Replace(r.pattern)
	host = strings.ToLower(host)
	if len(host) > 253 || !hostName.MatchString(host) {
		return "", fmt.Errorf("the rule makes %q of it, which is not a host name", host)
	}
	return host, nil
}

// Within says whether all names of the rule are below zone.
func (r Rule) Within(zone string) bool {
	fixed := r.pattern[strings.LastIndex(r.pattern, "}")+1:]
	return strings.HasSuffix(fixed, "."+strings.Trim(strings.ToLower(zone), "."))
}
