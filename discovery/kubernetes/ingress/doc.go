// Package ingress turns Kubernetes resources into Sluice's objects: Ingresses of our class
// and Services annotated with a host become upstreams, routes and certificates of a tenant.
//
// [Translate] is pure: resources and configuration in; objects, addresses to write back and
// problems out. Whoever else states intent by resources (Gateway API) joins as one more
// maker of owners and wishes: who wants which host and path served by what. How wishes are
// settled, which backends they reach and what is made of them is the same for all.
//
// What it decides:
//
//   - An Ingress is ours by its class: spec.ingressClassName names an IngressClass whose
//     controller is [Controller], or the deprecated annotation kubernetes.io/ingress.class
//     does, or it names none and ours is the default class.
//   - A namespace belongs to a tenant, by the rules of the configuration or its label
//     sluice.io/tenant. The tenant's hosts are what its Ingresses may use; that is enforced
//     by [gateway.Build], whose problems [Result.Explain] brings back to the resource.
//   - Of two wishes of one tenant for one host and path, that of the older resource counts,
//     then that whose namespace and name sort first. The other gets a problem.
//   - A rule without a host applies to all hosts of the tenant, and a default backend to
//     what is left of them after all rules.
//   - A backend that does not exist is answered 503, so that its requests do not fall to a
//     broader path.
//   - Nothing reaches into another namespace unless the target's annotation
//     sluice.io/grant-to names the namespace.
//
// Endpoints are not its business: the upstreams say where package kubernetes finds them.
package ingress
