package ingress

import (
	"fmt"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/gateway"
)

// fromIngress reads what an Ingress wants.
func (t *translator) fromIngress(i *networkingv1.Ingress, tenant string) *owner {
	o := newOwner(t, "Ingress", &i.ObjectMeta, tenant)
	o.checkNames(ingressAnnotations)
	o.options = o.annotated.options()
	var fallback *backend
	if i.Spec.DefaultBackend != nil {
		b := o.backend(i.Spec.DefaultBackend, "spec.defaultBackend")
		fallback = &b
		o.wishes = append(o.wishes, wish{of: o, rank: defaultBackend, path: everyPath, to: b, field: b.field})
	}
	for n, rule := range i.Spec.Rules {
		o.fromRule(rule, fmt.Sprintf("spec.rules[%d]", n), fallback)
	}
	if len(i.Spec.Rules) == 0 && fallback == nil {
		o.report("spec", ReasonRuleMissing, "The Ingress has neither a rule nor a default backend, so nothing of it is served: add one.")
	}
	for n, s := range i.Spec.TLS {
		field := fmt.Sprintf("spec.tls[%d]", n)
		if s.SecretName == "" {
			continue // TLS with a certificate that Sluice has anyway
		}
		o.secrets = append(o.secrets, secretWish{of: o, namespace: i.Namespace, name: s.SecretName, hosts: o.hosts(s.Hosts, field+".hosts"), field: field})
	}
	o.annotatedSecret()
	return o
}

// everyPath is the path of a rule that has none.
var everyPath = gateway.PathMatch{Prefix: "/"}

func (o *owner) fromRule(rule networkingv1.IngressRule, field string, fallback *backend) {
	host, as := "", anyHost
	if rule.Host != "" {
		as = namedHost
		valid := o.hosts([]string{rule.Host}, field+".host")
		if len(valid) == 0 {
			return
		}
		host = valid[0]
	}
	if rule.HTTP == nil {
		// The host goes to the default backend as a whole (IngressRuleValue).
		if fallback == nil {
			o.report(field, ReasonRuleMissing, "The rule has no paths, and the Ingress no default backend to take them all: add http.paths, or spec.defaultBackend.")
			return
		}
		o.wishes = append(o.wishes, wish{of: o, rank: as, named: rule.Host, host: host, path: everyPath, to: *fallback, field: field})
		return
	}
	for n, p := range rule.HTTP.Paths {
		at := fmt.Sprintf("%s.http.paths[%d]", field, n)
		path, ok := o.path(p, at)
		if !ok {
			continue
		}
		o.wishes = append(o.wishes, wish{of: o, rank: as, named: rule.Host, host: host, path: path, to: o.backend(&p.Backend, at+".backend"), field: at})
	}
}

// path reads a path in the normal form of [gateway.Build], so that "/foo" and "/foo/" are
// one prefix. Without a type of its own a path is a prefix, as most controllers have it.
func (o *owner) path(p networkingv1.HTTPIngressPath, field string) (gateway.PathMatch, bool) {
	kind := networkingv1.PathTypeImplementationSpecific
	if p.PathType != nil {
		kind = *p.PathType
	}
	switch kind {
	case networkingv1.PathTypeExact:
		return gateway.PathMatch{Exact: p.Path}, o.pathBegins(p.Path, field)
	case networkingv1.PathTypeImplementationSpecific:
		if p.Path == "" {
			return everyPath, true
		}
		if strings.ContainsAny(p.Path, "()[]*+^$|\\") {
			o.report(field+".path", ReasonPathInvalid, "Path %q looks like a regular expression, which Sluice does not take: write a prefix.", p.Path)
			return gateway.PathMatch{}, false
		}
	case networkingv1.PathTypePrefix:
	default:
		o.report(field+".pathType", ReasonPathInvalid, "Path type %q is not known: write Exact, Prefix or ImplementationSpecific.", kind)
		return gateway.PathMatch{}, false
	}
	return prefix(p.Path), o.pathBegins(p.Path, field)
}

func (o *owner) pathBegins(path, field string) bool {
	if !strings.HasPrefix(path, "/") {
		o.report(field+".path", ReasonPathInvalid, "Path %q does not begin with a slash, so it is left out.", path)
		return false
	}
	return true
}

// prefix takes one slash off the end. What would become another path by that is left for
// [gateway.Build] to refuse.
func prefix(path string) gateway.PathMatch {
	if path != "/" && !strings.HasSuffix(path, "//") {
		path = strings.TrimSuffix(path, "/")
	}
	return gateway.PathMatch{Prefix: path}
}

func (o *owner) backend(b *networkingv1.IngressBackend, field string) backend {
	switch {
	case b.Resource != nil:
		o.report(field+".resource", ReasonBackendUnsupported, "A backend of kind %s is not supported, so its requests are answered 503: name a Service.", b.Resource.Kind)
	case b.Service == nil:
		o.report(field, ReasonBackendUnsupported, "The backend is empty, so its requests are answered 503: name a Service.")
	default:
		return backend{service: b.Service.Name, port: b.Service.Port, field: field + ".service"}
	}
	return backend{field: field, broken: true}
}

// hosts reads host names, and reports those that are none.
func (o *owner) hosts(list []string, field string) []string {
	var out []string
	for _, raw := range list {
		h, err := gateway.NormalHost(raw)
		if err == nil && h == "*" {
			err = fmt.Errorf("host \"*\" is no host: leave it out for every host, or write *.example.com")
		}
		if err != nil {
			o.report(field, ReasonHostInvalid, "%s, so it is left out.", upper(err.Error()))
			continue
		}
		out = append(out, h)
	}
	return out
}
