package ingress

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/gateway"
)

// upstream returns the name of the upstream for a backend, and makes it when nobody has
// asked for it before. ok is false, with a problem, when the backend does not exist.
func (t *translator) upstream(o *owner, b backend) (name string, ok bool) {
	if b.broken {
		return "", false
	}
	s := t.services[types.NamespacedName{Namespace: o.Namespace, Name: b.service}]
	if s == nil {
		o.report(b.field, ReasonServiceMissing, "There is no Service %q in namespace %q, so its requests are answered 503: create it, or correct the name.", b.service, o.Namespace)
		return "", false
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		if s, ok = t.external(o, b, s); !ok {
			return "", false
		}
	}
	port, ok := findPort(s, b.port)
	switch {
	case !ok:
		o.report(b.field, ReasonPortUnknown, "Service %q has no port %s, so its requests are answered 503: it has %s.", s.Name, portText(b.port), ports(s))
		return "", false
	case port.Protocol != "" && port.Protocol != corev1.ProtocolTCP:
		o.report(b.field, ReasonPortUnknown, "Port %s of Service %q is %s, so its requests are answered 503: HTTP needs TCP.", portText(b.port), s.Name, port.Protocol)
		return "", false
	}
	name = objectName(t.cfg.Cluster, s.Namespace, s.Name, fmt.Sprint(port.Port))
	ref := gateway.Ref{Kind: gateway.KindUpstream, Tenant: o.tenant, Name: name}
	if t.objects[ref] == nil {
		t.put(t.newUpstream(ref, s, port), subjectOf("Service", &s.ObjectMeta))
	}
	return name, true
}

func (t *translator) newUpstream(ref gateway.Ref, s *corev1.Service, port corev1.ServicePort) *gateway.Upstream {
	subject := subjectOf("Service", &s.ObjectMeta)
	a := annotated{values: s.Annotations, report: t.reporter(subject)}
	u := &gateway.Upstream{Meta: t.meta(ref, subject), Spec: gateway.UpstreamSpec{
		Protocol: a.protocol(port),
		// A slice has the name of the Service's port and the number of the Pods'.
		Discover: []gateway.Discover{{Kubernetes: &gateway.KubernetesDiscover{Cluster: t.cfg.Cluster, Namespace: s.Namespace, Service: s.Name, Port: port.Name}}},
	}}
	if server := a.values[annotationServerName]; server != "" {
		if u.Spec.Protocol != "https" && u.Spec.Protocol != "h2" {
			a.invalid(annotationServerName, "the Service is not reached over TLS: set %s to https or h2", annotationProtocol)
		} else {
			u.Spec.TLS = &gateway.UpstreamTLS{ServerName: server}
		}
	}
	return u
}

// external follows a Service of type ExternalName to the Service of the same cluster that
// it stands for. Other names are refused: whoever may write a Service could reach whatever
// we reach, and the name is looked up behind everybody's back.
func (t *translator) external(o *owner, b backend, s *corev1.Service) (*corev1.Service, bool) {
	labels := strings.Split(strings.TrimSuffix(s.Spec.ExternalName, "."), ".")
	if len(labels) < 3 || labels[2] != "svc" {
		o.report(b.field, ReasonServiceExternal, "Service %q is of type ExternalName and stands for %q, which is outside the cluster, so its requests are answered 503: write an Upstream for it.", s.Name, s.Spec.ExternalName)
		return nil, false
	}
	target := t.services[types.NamespacedName{Namespace: labels[1], Name: labels[0]}]
	switch {
	case labels[1] != o.Namespace && (target == nil || !grants(&target.ObjectMeta, o.Namespace)):
		// Whether it exists is not told to those who may not refer to it.
		o.report(b.field, ReasonGrantMissing, "Service %q stands for Service %q of namespace %q, which does not let namespace %q refer to it, so its requests are answered 503: its owner sets the annotation %s: %s on it.",
			s.Name, labels[0], labels[1], o.Namespace, annotationGrant, o.Namespace)
		return nil, false
	case target == nil:
		o.report(b.field, ReasonServiceMissing, "Service %q stands for Service %q, which does not exist, so its requests are answered 503.", s.Name, labels[0])
		return nil, false
	case target.Spec.Type == corev1.ServiceTypeExternalName:
		o.report(b.field, ReasonServiceExternal, "Service %q stands for %q, which is of type ExternalName, too, so its requests are answered 503: name the last one.", s.Name, s.Spec.ExternalName)
		return nil, false
	}
	return target, true
}

func findPort(s *corev1.Service, want networkingv1.ServiceBackendPort) (corev1.ServicePort, bool) {
	for _, p := range s.Spec.Ports {
		if want.Name != "" && p.Name == want.Name || want.Name == "" && p.Port == want.Number {
			return p, true
		}
	}
	return corev1.ServicePort{}, false
}

func portText(p networkingv1.ServiceBackendPort) string {
	if p.Name != "" {
		return quote(p.Name)
	}
	return fmt.Sprint(p.Number)
}

// ports lists a Service's ports for people.
func ports(s *corev1.Service) string {
	var out []string
	for _, p := range s.Spec.Ports {
		text := fmt.Sprint(p.Port)
		if p.Name != "" {
			text = quote(p.Name) + " (" + text + ")"
		}
		out = append(out, text)
	}
	if out == nil {
		return "no port"
	}
	return strings.Join(out, ", ")
}
