package ingress

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// fromService reads what a Service with the annotation sluice.io/host wants.
func (t *translator) fromService(s *corev1.Service, tenant string) *owner {
	o := newOwner(t, "Service", &s.ObjectMeta, tenant)
	o.options = o.annotated.options()
	field := annotationField(annotationHost)
	hosts := o.hosts(o.list(annotationHost), field)
	if len(hosts) == 0 {
		o.report(field, ReasonHostMissing, "Annotation %s names no usable host, so the Service is not served: write one or several, separated by commas.", annotationHost)
	}
	to := backend{service: s.Name, field: field}
	to.port, to.broken = o.servedPort(s)
	for _, host := range hosts {
		for _, path := range o.servedPaths() {
			o.wishes = append(o.wishes, wish{of: o, rank: namedHost, named: host, host: host, path: prefix(path), to: to, field: field})
		}
	}
	o.annotatedSecret()
	return o
}

func (o *owner) servedPaths() []string {
	all := o.list(annotationPath)
	if len(all) == 0 {
		return []string{"/"}
	}
	var out []string
	for _, p := range all {
		if !strings.HasPrefix(p, "/") {
			o.invalid(annotationPath, "path %q does not begin with a slash", p)
			continue
		}
		out = append(out, p)
	}
	return out
}

// servedPort is the port that the annotation names, else the only one, else "http".
func (o *owner) servedPort(s *corev1.Service) (port networkingv1.ServiceBackendPort, broken bool) {
	if v := strings.TrimSpace(o.values[annotationPort]); v != "" {
		if n, err := strconv.ParseInt(v, 10, 32); err == nil {
			return networkingv1.ServiceBackendPort{Number: int32(n)}, false
		}
		return networkingv1.ServiceBackendPort{Name: v}, false
	}
	if len(s.Spec.Ports) == 1 {
		return networkingv1.ServiceBackendPort{Number: s.Spec.Ports[0].Port}, false
	}
	for _, p := range s.Spec.Ports {
		if p.Name == "http" {
			return networkingv1.ServiceBackendPort{Name: "http"}, false
		}
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return port, false // said of the Service as a whole
	}
	o.report(annotationField(annotationPort), ReasonPortUnknown, "The Service has %s, and none is named \"http\": name one by the annotation %s.", ports(s), annotationPort)
	return port, true
}

// annotatedSecret reads sluice.io/tls-secret: it is for all hosts that the resource names.
func (o *owner) annotatedSecret() {
	v, ok := o.values[annotationSecret]
	if !ok {
		return
	}
	namespace, name, apart := strings.Cut(v, "/")
	if !apart {
		namespace, name = o.Namespace, v
	}
	if namespace == "" || name == "" || strings.Contains(name, "/") {
		o.invalid(annotationSecret, "%q is not NAME or NAMESPACE/NAME of a Secret", v)
		return
	}
	seen := map[string]bool{}
	for _, w := range o.wishes {
		if w.host != "" {
			seen[w.host] = true
		}
	}
	o.secrets = append(o.secrets, secretWish{of: o, namespace: namespace, name: name, hosts: sortedKeys(seen), field: annotationField(annotationSecret)})
}
