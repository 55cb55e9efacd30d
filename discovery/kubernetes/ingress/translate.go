package ingress

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/gateway"
)

// Translate says what resources mean. It reads no clock, file or socket; equal arguments in
// any order give equal results. What can't be used becomes a problem on the resource that
// states it, and everything else is made.
func Translate(r Resources, cfg Config) Result {
	t := newTranslator(r, cfg)
	owners := t.owners(r)
	wishes := t.settle(owners)
	t.routes(wishes)
	t.certificates(owners)
	return t.result(owners)
}

// translator holds what one Translate works out, in the order of the calls in Translate.
type translator struct {
	cfg      Config
	tenant   func(namespace string) string
	services map[types.NamespacedName]*corev1.Service
	secrets  map[types.NamespacedName]*corev1.Secret
	objects  map[gateway.Ref]gateway.Object
	origins  map[gateway.Ref][]Subject
	problems []Problem
	refused  []Subject // Ingresses of ours of which nothing can be made
}

func newTranslator(r Resources, cfg Config) *translator {
	t := &translator{
		cfg: cfg, tenant: tenantsOf(cfg, r.Namespaces),
		services: make(map[types.NamespacedName]*corev1.Service, len(r.Services)),
		secrets:  make(map[types.NamespacedName]*corev1.Secret, len(r.Secrets)),
		objects:  map[gateway.Ref]gateway.Object{},
		origins:  map[gateway.Ref][]Subject{},
	}
	for _, s := range r.Services {
		t.services[types.NamespacedName{Namespace: s.Namespace, Name: s.Name}] = s
	}
	for _, s := range r.Secrets {
		t.secrets[types.NamespacedName{Namespace: s.Namespace, Name: s.Name}] = s
	}
	return t
}

// owners reads every resource that wants something served, oldest first.
func (t *translator) owners(r Resources) []*owner {
	known := classesOf(t.cfg.Class, r.Classes)
	for _, c := range r.Classes {
		if known.ours[c.Name] && c.Spec.Parameters != nil {
			t.reporter(subjectOf("IngressClass", &c.ObjectMeta))("spec.parameters", ReasonParametersIgnored,
				"Sluice has no parameters of classes, so these do nothing: take them out.")
		}
	}
	var out []*owner
	for _, i := range r.Ingresses {
		s := subjectOf("Ingress", &i.ObjectMeta)
		ours, why := known.takes(i)
		switch tenant := t.tenant(i.Namespace); {
		case why != "":
			t.reporter(s)("spec.ingressClassName", ReasonClassUnknown, "%s", why)
		case !ours:
		case tenant == "":
			t.refused = append(t.refused, s)
			t.reportHomeless(s)
		default:
			out = append(out, t.fromIngress(i, tenant))
		}
	}
	for _, s := range r.Services {
		if t.cfg.IgnoreServices {
			break
		}
		subject := subjectOf("Service", &s.ObjectMeta)
		annotated{values: s.Annotations, report: t.reporter(subject)}.checkNames(serviceAnnotations)
		if _, ok := s.Annotations[annotationHost]; !ok {
			continue
		}
		if tenant := t.tenant(s.Namespace); tenant != "" {
			out = append(out, t.fromService(s, tenant))
		} else {
			t.reportHomeless(subject)
		}
	}
	slices.SortFunc(out, older)
	return out
}

func (t *translator) reportHomeless(s Subject) {
	t.reporter(s)("metadata.namespace", ReasonTenantUnknown,
		"Namespace %q belongs to no tenant, so nothing of it is served: an administrator sets the label %s on the Namespace, or adds a rule to sluice.yaml.", s.Namespace, LabelTenant)
}

// routes makes one route for each resource, host and backend.
func (t *translator) routes(wishes []wish) {
	upstreams := map[*owner]map[backend]string{}
	for _, w := range wishes {
		known := upstreams[w.of]
		if known == nil {
			known = map[backend]string{}
			upstreams[w.of] = known
		}
		name, ok := known[w.to]
		if !ok {
			name, _ = t.upstream(w.of, w.to)
			known[w.to] = name
		}
		t.route(w, name)
	}
}

// route adds a wish to the route of its resource, host and backend; without an upstream it
// answers 503. The name says what was asked for, so that it stays when the Service appears.
func (t *translator) route(w wish, upstream string) {
	o := w.of
	o.served = true
	ref := gateway.Ref{Kind: gateway.KindRoute, Tenant: o.tenant,
		Name: objectName(t.cfg.Cluster, o.Namespace, o.Name, digest(o.Kind, w.named, w.host, w.to.service, portText(w.to.port)))}
	r, ok := t.objects[ref].(*gateway.Route)
	if !ok {
		r = &gateway.Route{Meta: t.meta(ref, o.Subject), Spec: gateway.RouteSpec{
			Hosts: []string{w.host}, SingleLabel: strings.HasPrefix(w.named, "*"), Timeout: o.options.timeout, MaxBodySize: o.options.maxBodySize}}
		if upstream == "" {
			r.Spec.Filters = []gateway.Filter{{Respond: &gateway.Respond{Status: 503}}}
		} else {
			r.Spec.To = []gateway.RouteTarget{{Upstream: upstream}}
		}
		t.put(r, o.Subject)
	}
	r.Spec.Match = append(r.Spec.Match, gateway.Match{Path: w.path})
}

func (t *translator) put(o gateway.Object, from ...Subject) {
	ref := o.Head().Ref()
	t.objects[ref] = o
	t.origins[ref] = from
}

// meta says what an object was made from, in labels as well, which can be searched.
func (t *translator) meta(ref gateway.Ref, from Subject) gateway.Meta {
	by := "kubernetes/" + t.cfg.Cluster
	return gateway.Meta{Kind: ref.Kind, Tenant: ref.Tenant, Name: ref.Name, CreatedBy: by, UpdatedBy: by,
		DerivedFrom: &gateway.DerivedFrom{Source: by, Cluster: t.cfg.Cluster, Namespace: from.Namespace, Kind: from.Kind, Name: from.Name}, Labels: map[string]string{
			"sluice.io/cluster": t.cfg.Cluster, "sluice.io/namespace": from.Namespace, "sluice.io/" + strings.ToLower(from.Kind): from.Name}}
}

func (t *translator) result(owners []*owner) Result {
	r := Result{origins: t.origins, Problems: t.problems}
	for _, ref := range slices.SortedFunc(maps.Keys(t.objects), gateway.Ref.Compare) {
		r.Objects = append(r.Objects, t.objects[ref])
	}
	for _, s := range t.refused {
		r.Statuses = append(r.Statuses, Status{Subject: s})
	}
	for _, o := range owners {
		if o.Kind != "Ingress" {
			continue
		}
		s := Status{Subject: o.Subject}
		if o.served {
			s.Addresses = t.cfg.Addresses
		}
		r.Statuses = append(r.Statuses, s)
	}
	slices.SortFunc(r.Statuses, func(x, y Status) int { return x.compare(y.Subject) })
	slices.SortFunc(r.Problems, Problem.compare)
	r.Problems = slices.Compact(r.Problems)
	return r
}

// reporter returns a function that reports warnings for one resource.
func (t *translator) reporter(s Subject) reporter { return t.reporterOf(s, corev1.EventTypeWarning) }

func (t *translator) reporterOf(s Subject, kind string) reporter {
	return func(field, reason, format string, args ...any) {
		tenant := ""
		if s.Namespace != "" {
			tenant = t.tenant(s.Namespace)
		}
		t.problems = append(t.problems, Problem{Subject: s, Tenant: tenant, Type: kind, Reason: reason, Field: field, Message: fmt.Sprintf(format, args...)})
	}
}

type reporter func(field, reason, format string, args ...any)

func subjectOf(kind string, m *metav1.ObjectMeta) Subject {
	return Subject{Kind: kind, NamespacedName: types.NamespacedName{Namespace: m.Namespace, Name: m.Name}, UID: m.UID}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func quote(s string) string { return strconv.Quote(s) }

// upper makes the first letter one of a sentence.
func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
