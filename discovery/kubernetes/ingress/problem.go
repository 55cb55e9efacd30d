package ingress

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/gateway"
)

// Problem is an event for a resource: what is wrong, where in it, and what to do.
type Problem struct {
	Subject
	// Tenant that the resource's namespace belongs to. Empty: none.
	Tenant string
	// Type is "Warning", or "Normal" when nothing is lost by it.
	Type    string
	Reason  string // stable, such as "PathTaken"
	Field   string // path in the resource, such as "spec.rules[0].host"
	Message string
}

// The reasons of problems. Those of [Result.Explain] are the codes of gateway problems in
// the same form.
const (
	ReasonAnnotationInvalid  = "AnnotationInvalid"
	ReasonAnnotationUnknown  = "AnnotationUnknown"
	ReasonBackendUnsupported = "BackendUnsupported"
	ReasonCertificateTaken   = "CertificateTaken"
	ReasonClassUnknown       = "ClassUnknown"
	ReasonDuplicateRule      = "DuplicateRule"
	ReasonGrantMissing       = "GrantMissing"
	ReasonHostInvalid        = "HostInvalid"
	ReasonHostMissing        = "HostMissing"
	ReasonParametersIgnored  = "ParametersIgnored"
	ReasonPathInvalid        = "PathInvalid"
	ReasonPathTaken          = "PathTaken"
	ReasonPortUnknown        = "PortUnknown"
	ReasonRuleMissing        = "RuleMissing"
	ReasonSecretInvalid      = "SecretInvalid"
	ReasonSecretMissing      = "SecretMissing"
	ReasonServiceExternal    = "ServiceExternal"
	ReasonServiceMissing     = "ServiceMissing"
	ReasonTenantUnknown      = "TenantUnknown"
)

func (p Problem) compare(o Problem) int {
	return cmp.Or(p.Subject.compare(o.Subject), cmp.Compare(p.Field, o.Field), cmp.Compare(p.Reason, o.Reason),
		cmp.Compare(p.Message, o.Message))
}

// Explain brings problems with objects that were made here back to the resources that they
// were made from; all others are left out. What stands on an upstream belongs to its
// Service, what stands on a route or certificate to whoever asked for it.
func (r Result) Explain(problems []gateway.Problem) []Problem {
	var out []Problem
	for _, p := range problems {
		for _, s := range r.origins[p.Object] {
			out = append(out, Problem{Subject: s, Tenant: p.Object.Tenant, Type: corev1.EventTypeWarning, Reason: reason(p.Code), Message: p.Message})
		}
	}
	slices.SortFunc(out, Problem.compare)
	return slices.Compact(out)
}

// reason reads "HostNotOwned" for the code "host_not_owned".
func reason(code string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(code, "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
