package main

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/kubernetes/controller"
	"github.com/sluice-gateway/sluice/discovery/kubernetes/ingress"
	"github.com/sluice-gateway/sluice/gateway"
)

// IngressConfig says how a cluster's Ingresses and annotated Services are read. See
// docs/kubernetes.md.
type IngressConfig struct {
	// Class is the only IngressClass that is taken. Default: every class whose controller is
	// sluice.io/ingress-controller. Set it when several groups of edges share a cluster.
	Class string `yaml:"class"`
	// Addresses are what clients connect to, IP addresses or host names; they are written
	// into the status of Ingresses. Default: the status is left alone.
	Addresses []string `yaml:"addresses"`
	// Tenants map namespaces to tenants; the first rule that fits counts. Default: the
	// namespace's label sluice.io/tenant.
	Tenants []TenantRule `yaml:"tenants"`
	// Services says whether Services annotated with sluice.io/host are served, too. Default
	// true.
	Services *bool `yaml:"services"`
	// LeaseNamespace is the namespace of the Lease by which all edges agree which of them
	// writes status and events. Default "sluice".
	LeaseNamespace string `yaml:"leaseNamespace"`
}

// TenantRule gives namespaces to a tenant.
type TenantRule struct {
	// Namespace is the name or a pattern, such as "team-*". Default: every namespace.
	Namespace string `yaml:"namespace"`
	// Selector chooses by labels of the Namespace, as kubectl -l takes it. Default: any.
	Selector string `yaml:"selector"`
	// Tenant owns what the namespaces' Ingresses make.
	Tenant string `yaml:"tenant"`
}

// clusterName is what can begin the name of an object, and a namespace's name; className is an
// object's.
var (
	clusterName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	className   = regexp.MustCompile(`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`)
)

// checkIngress calls bad for each mistake, with the key below the cluster.
func (k ClusterConfig) checkIngress(bad func(key, format string, args ...any)) {
	if k.Ingress == nil {
		return
	}
	if k.Name != "" && !clusterName.MatchString(k.Name) {
		bad("name", "%q begins the names of what is made of its Ingresses: use at most 63 lower-case letters, digits and '-'", k.Name)
	}
	if n := k.Ingress.LeaseNamespace; n != "" && !clusterName.MatchString(n) {
		bad("ingress.leaseNamespace", "%q is no namespace: write its name, such as sluice", n)
	}
	if c := k.Ingress.Class; c != "" && (len(c) > 253 || !className.MatchString(c)) {
		bad("ingress.class", "%q is no name of an IngressClass: write that of kubectl get ingressclass, such as sluice", c)
	}
	for i, a := range k.Ingress.Addresses {
		if _, err := netip.ParseAddr(a); err == nil {
			continue
		}
		if _, err := gateway.NormalHost(a); err != nil || a == "*" {
			bad(fmt.Sprintf("ingress.addresses[%d]", i), "%q is neither an IP address nor a host name: write 192.0.2.1 or lb.example.com, without a port", a)
		}
	}
	for i, r := range k.Ingress.Tenants {
		if err := ingress.TenantRule(r).Check(); err != nil {
			key, what, _ := strings.Cut(err.Error(), ": ")
			bad(fmt.Sprintf("ingress.tenants[%d].%s", i, key), "%s", what)
		}
	}
}

// ingresses are the controllers of all clusters that have Ingresses of ours.
type ingresses []*controller.Controller

func (a *App) newIngresses() (ingresses, error) {
	var out ingresses
	var sources []string
	for _, k := range a.cfg.Kubernetes {
		if k.Ingress == nil {
			continue
		}
		cfg := controller.Config{
			Cluster:        k.source(),
			Ingress:        ingress.Config{Class: k.Ingress.Class, Addresses: k.Ingress.Addresses, IgnoreServices: k.Ingress.Services != nil && !*k.Ingress.Services},
			Set:            func(cluster string, objects []gateway.Object) { a.loop.SetDerived(derivedBy(cluster), objects) },
			Node:           a.cfg.Node,
			LeaseNamespace: k.Ingress.LeaseNamespace,
			Log:            a.log,
		}
		for _, r := range k.Ingress.Tenants {
			cfg.Ingress.Tenants = append(cfg.Ingress.Tenants, ingress.TenantRule(r))
		}
		c, err := controller.New(cfg)
		if err != nil {
			return nil, err
		}
		out, sources = append(out, c), append(sources, derivedBy(k.Name))
	}
	if a.router != nil {
		sources = append(sources, derivedByNames)
	}
	a.loop.KeepDerived(sources)
	return out, nil
}

// derivedBy names a cluster as the maker of objects.
func derivedBy(cluster string) string { return "kubernetes/" + cluster }

// Apply tells all of them what was decided.
func (all ingresses) Apply(s *gateway.Snapshot) {
	for _, c := range all {
		c.Apply(s)
	}
}

// Problems are those of all clusters.
func (all ingresses) Problems() []gateway.Problem {
	var out []gateway.Problem
	for _, c := range all {
		out = append(out, c.Problems()...)
	}
	return out
}

// ingressStatus tells how following each cluster's Ingresses is. What they make stands in the
// local copy while a cluster has said nothing.
func (a *App) ingressStatus() []discovery.SourceStatus {
	var out []discovery.SourceStatus
	for _, c := range a.ingress {
		s := c.Status()
		if !s.Up && s.Pending > 0 {
			s.StaleSince, s.Copied = a.copied, !a.copied.IsZero()
		}
		out = append(out, s)
	}
	return out
}

// pending is how many clusters' Ingresses are not known yet.
func (all ingresses) pending() int {
	n := 0
	for _, c := range all {
		if !c.Synced() {
			n++
		}
	}
	return n
}
