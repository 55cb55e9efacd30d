package kubetest

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// clients returns one client for each API group in use. The scheme holds these two only:
// client-go's clientset would compile every API there is.
func clients(config *rest.Config) (core, discovery *rest.RESTClient, err error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, nil, err
		}
	}
	client := func(path string, gv schema.GroupVersion) (*rest.RESTClient, error) {
		c := rest.CopyConfig(config)
		c.APIPath, c.GroupVersion = path, &gv
		c.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
		return rest.RESTClientFor(c)
	}
	if core, err = client("/api", corev1.SchemeGroupVersion); err != nil {
		return nil, nil, err
	}
	discovery, err = client("/apis", discoveryv1.SchemeGroupVersion)
	return core, discovery, err
}

// CreateNamespace creates a namespace.
func (c *Cluster) CreateNamespace(name string) {
	c.tb.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	c.must("create namespace "+name, c.core.Post().Resource("namespaces").Body(ns).Do(c.tb.Context()))
}

// CreateService creates a Service without a selector, whose EndpointSlices the test writes.
func (c *Cluster) CreateService(namespace, name string, ports ...corev1.ServicePort) {
	c.tb.Helper()
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Spec: corev1.ServiceSpec{Ports: ports}}
	c.must("create Service "+name, c.core.Post().Namespace(namespace).Resource("services").Body(s).Do(c.tb.Context()))
}

// CreateSlice creates an EndpointSlice and returns it as it was stored.
func (c *Cluster) CreateSlice(s *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	c.tb.Helper()
	return c.slice("create", c.discovery.Post().Namespace(s.Namespace).Resource("endpointslices").Body(s))
}

// UpdateSlice replaces an EndpointSlice and returns it as it was stored. Without a resource
// version in s, whatever is there is replaced.
func (c *Cluster) UpdateSlice(s *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	c.tb.Helper()
	return c.slice("update", c.discovery.Put().Namespace(s.Namespace).Resource("endpointslices").Name(s.Name).Body(s))
}

// DeleteSlice deletes an EndpointSlice.
func (c *Cluster) DeleteSlice(namespace, name string) {
	c.tb.Helper()
	c.must("delete EndpointSlice "+name, c.discovery.Delete().Namespace(namespace).Resource("endpointslices").Name(name).Do(c.tb.Context()))
}

func (c *Cluster) slice(verb string, r *rest.Request) *discoveryv1.EndpointSlice {
	c.tb.Helper()
	stored := &discoveryv1.EndpointSlice{}
	if err := r.Do(c.tb.Context()).Into(stored); err != nil {
		c.tb.Fatalf("%s EndpointSlice: %v", verb, err)
	}
	return stored
}

func (c *Cluster) must(what string, r rest.Result) {
	c.tb.Helper()
	if err := r.Error(); err != nil {
		c.tb.Fatalf("%s: %v", what, err)
	}
}
