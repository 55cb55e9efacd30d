package ingress

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	annotationClass  = "kubernetes.io/ingress.class"
	annotationPrefix = "sluice.io/"

	// On a Service: it is served by itself at these hosts, separated by commas.
	annotationHost = annotationPrefix + "host"
	// On a Service with a host: the path prefixes, separated by commas. Default "/".
	annotationPath = annotationPrefix + "path"
	// On a Service with a host: its port, by name or number. Default: the only one, or "http".
	annotationPort = annotationPrefix + "port"
	// On a Service: what its endpoints speak, one of gateway.Protocols. Default: the port's
	// appProtocol, or http.
	annotationProtocol = annotationPrefix + "protocol"
	// On a Service that speaks TLS: the name that its certificate holds.
	annotationServerName = annotationPrefix + "server-name"
	// On an Ingress, or a Service with a host: a Secret for all of its hosts, as NAME, or as
	// NAMESPACE/NAME with a grant.
	annotationSecret = annotationPrefix + "tls-secret"
	// On an Ingress, or a Service with a host: as in a Route.
	annotationTimeout     = annotationPrefix + "timeout"
	annotationMaxBodySize = annotationPrefix + "max-body-size"
	// On a Service or Secret: namespaces that may refer to it, separated by commas; patterns
	// as of a shell.
	annotationGrant = annotationPrefix + "grant-to"
)

var (
	ingressAnnotations = []string{annotationMaxBodySize, annotationTimeout, annotationSecret}
	serviceAnnotations = []string{annotationGrant, annotationHost, annotationMaxBodySize, annotationPath, annotationPort,
		annotationProtocol, annotationServerName, annotationTimeout, annotationSecret}
)

// annotated reads the annotations of one resource and reports what is wrong with them.
type annotated struct {
	values map[string]string
	report reporter
}

// checkNames reports annotations of ours that do not exist: most are misspelt.
func (a annotated) checkNames(known []string) {
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		if strings.HasPrefix(name, annotationPrefix) && !slices.Contains(known, name) {
			a.report(annotationField(name), ReasonAnnotationUnknown, "Annotation %s does nothing here: known ones are %s.", name, strings.Join(known, ", "))
		}
	}
}

func (a annotated) invalid(name, format string, args ...any) {
	a.report(annotationField(name), ReasonAnnotationInvalid, "Annotation "+name+" is left out: "+format+".", args...)
}

// list reads values that are separated by commas.
func (a annotated) list(name string) []string {
	var out []string
	for v := range strings.SplitSeq(a.values[name], ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// options are what annotations say about routes.
type options struct {
	timeout     gateway.Duration
	maxBodySize gateway.Size
}

func (a annotated) options() options {
	var o options
	if v, ok := a.values[annotationTimeout]; ok {
		if err := o.timeout.UnmarshalText([]byte(v)); err != nil {
			a.invalid(annotationTimeout, "%v", err)
		}
	}
	if v, ok := a.values[annotationMaxBodySize]; ok {
		if err := o.maxBodySize.UnmarshalText([]byte(v)); err != nil {
			a.invalid(annotationMaxBodySize, "%v", err)
		}
	}
	return o
}

// protocols are the appProtocols of Service ports that change what we speak.
var protocols = map[string]string{
	"kubernetes.io/h2c": "h2c", "h2c": "h2c", "grpc": "h2c", "grpcs": "h2", "h2": "h2", "https": "https", "kubernetes.io/wss": "https",
}

// protocol is what the endpoints of a Service's port speak; "" is the default.
func (a annotated) protocol(port corev1.ServicePort) string {
	var app string
	if port.AppProtocol != nil {
		app = protocols[strings.ToLower(*port.AppProtocol)]
	}
	v, ok := a.values[annotationProtocol]
	if ok && !slices.Contains(gateway.Protocols, v) {
		a.invalid(annotationProtocol, "%q is not one of %s", v, strings.Join(gateway.Protocols, ", "))
		v = ""
	}
	if v = cmp.Or(v, app); v == "http" {
		return ""
	}
	return v
}

func annotationField(name string) string { return fmt.Sprintf("metadata.annotations[%s]", name) }

// grants says whether the target lets a namespace refer to it.
func grants(target *metav1.ObjectMeta, from string) bool {
	if target.Namespace == from {
		return true
	}
	return slices.ContainsFunc(annotated{values: target.Annotations}.list(annotationGrant), func(pattern string) bool {
		return TenantRule{Namespace: pattern}.fits(from, nil)
	})
}
