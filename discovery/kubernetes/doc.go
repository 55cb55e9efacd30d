// Package kubernetes discovers the endpoints of Services by their EndpointSlices.
//
// It takes in a kubeconfig (or the pod's own account) and the Services that upstreams
// follow, and reports the union of each Service's slices, reduced to one port, as one set.
// One watch of all EndpointSlices serves every upstream of the cluster; it opens as a
// watch-list and falls back to list and watch where the API server is too old for it. The
// account needs "list" and "watch" on endpointslices.discovery.k8s.io in all namespaces.
//
// What becomes of an endpoint in a slice:
//
//   - ready, or silent about it: an endpoint;
//   - not ready, but serving and terminating: an endpoint that is terminating, so that it
//     finishes what it has and gets nothing new;
//   - anything else: left out.
//
// A slice's port is chosen by its name or number as it stands in the slice, which is the
// port of the Pods and not that of the Service; TCP only. IPv4 and IPv6 both count. An
// address that is in two slices, as it is for a moment while endpoints move between them,
// is one endpoint.
//
// When the connection is lost, the sets stay as they are; after it is back, what differs
// from before is sent, and no set is empty in between.
//
// client-go has its home in this package. It is used narrowly, with a scheme of its own:
// the clientset and the informers built on it link every API group there is.
package kubernetes
