package kubernetes

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// slice is what we keep of an EndpointSlice: a tenth of it, in a big cluster.
type slice struct {
	ports     []port
	endpoints []endpoint
	problems  []string
}

// port is a TCP port of a slice.
type port struct {
	name   string
	number uint16
}

// endpoint is one that gets requests, is finishing what it has, or is terminating and serves no
// more: that one is not missing by mistake when it goes.
type endpoint struct {
	address     netip.Addr
	zone        string
	terminating bool
	out         bool
}

// compact keeps what counts of an EndpointSlice.
func compact(s *discoveryv1.EndpointSlice) *slice {
	c := &slice{}
	if s.AddressType == discoveryv1.AddressTypeFQDN {
		c.problems = append(c.problems, fmt.Sprintf("EndpointSlice %s holds host names (addressType FQDN): only IP addresses can be used", s.Name))
		return c
	}
	for _, p := range s.Ports {
		if p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP || p.Port == nil || *p.Port < 1 || *p.Port > 65535 {
			continue
		}
		name := ""
		if p.Name != nil {
			name = *p.Name
		}
		c.ports = append(c.ports, port{name: name, number: uint16(*p.Port)})
	}
	for _, e := range s.Endpoints {
		ready := e.Conditions.Ready == nil || *e.Conditions.Ready
		leaving := is(e.Conditions.Terminating)
		if !ready && !leaving || len(e.Addresses) == 0 {
			continue
		}
		// The addresses of one endpoint are interchangeable; the API says to use the first.
		address, err := netip.ParseAddr(e.Addresses[0])
		if err != nil {
			c.problems = append(c.problems, fmt.Sprintf("EndpointSlice %s has an address that is none: %.80q", s.Name, e.Addresses[0]))
			continue
		}
		kept := endpoint{address: address.Unmap(), terminating: !ready, out: !ready && !is(e.Conditions.Serving)}
		if e.Zone != nil {
			kept.zone = *e.Zone
		}
		c.endpoints = append(c.endpoints, kept)
	}
	return c
}

func is(condition *bool) bool { return condition != nil && *condition }

// service names the Service that a slice belongs to; false when it belongs to none.
func service(s *discoveryv1.EndpointSlice) (types.NamespacedName, bool) {
	name := s.Labels[discoveryv1.LabelServiceName]
	return types.NamespacedName{Namespace: s.Namespace, Name: name}, name != ""
}

// strip drops from an EndpointSlice what compact does not look at. It keeps the first list
// of a big cluster from being in memory whole.
func strip(obj any) (any, error) {
	if s, ok := obj.(*discoveryv1.EndpointSlice); ok {
		s.ObjectMeta = metav1.ObjectMeta{
			Namespace: s.Namespace, Name: s.Name, ResourceVersion: s.ResourceVersion,
			Labels: map[string]string{discoveryv1.LabelServiceName: s.Labels[discoveryv1.LabelServiceName]},
		}
		for i := range s.Endpoints {
			e := &s.Endpoints[i]
			e.Hostname, e.TargetRef, e.NodeName, e.DeprecatedTopology, e.Hints = nil, nil, nil, nil, nil
		}
	}
	return obj, nil
}
