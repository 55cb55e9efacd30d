package ingress

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/gateway"
)

// Controller is what an IngressClass names in spec.controller to be ours.
const Controller = "sluice.io/ingress-controller"

// Resources is what one cluster holds, in any order. Nothing of it is changed.
type Resources struct {
	Classes    []*networkingv1.IngressClass
	Ingresses  []*networkingv1.Ingress
	Services   []*corev1.Service
	Secrets    []*corev1.Secret
	Namespaces []*corev1.Namespace
}

// Config says how resources are read.
type Config struct {
	// Cluster is the cluster's name in sluice.yaml. It begins the names of what is made.
	Cluster string
	// Class is the only IngressClass that is taken. Default: every class whose controller
	// is [Controller]. Set it when several groups of edges share a cluster.
	Class string
	// Addresses are what clients connect to: IP addresses and host names that are written
	// into the status of Ingresses. Default: none.
	Addresses []string
	// Tenants map namespaces to tenants; the first rule that fits counts, and the
	// namespace's label sluice.io/tenant when none does.
	Tenants []TenantRule
	// IgnoreServices leaves Services annotated with sluice.io/host alone.
	IgnoreServices bool
	// Owners are the tenants as they are now, with the hosts that they claim.
	Owners []*gateway.Tenant
}

// Result is what the resources mean.
type Result struct {
	// Objects are upstreams, routes and certificates, sorted by their refs.
	Objects []gateway.Object
	// Statuses are what to write back to each Ingress of our class, sorted.
	Statuses []Status
	// Problems are what people have to settle, sorted, each on the resource that states it.
	Problems []Problem

	origins map[gateway.Ref][]Subject
}

// Status is what an Ingress should say about its load balancer. Without addresses, nothing
// of it is served.
type Status struct {
	Subject
	Addresses []string
}

// Subject is a resource of the cluster.
type Subject struct {
	Kind string // "Ingress", "Service" or "IngressClass"
	types.NamespacedName
	UID types.UID
}

// String reads "Ingress shop/web".
func (s Subject) String() string {
	if s.Namespace == "" {
		return s.Kind + " " + s.Name
	}
	return s.Kind + " " + s.Namespace + "/" + s.Name
}

func (s Subject) compare(o Subject) int {
	return slices.Compare([]string{s.Namespace, s.Name, s.Kind}, []string{o.Namespace, o.Name, o.Kind})
}
