package ingress

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/gateway"
)

// owner is a resource that wants something served.
type owner struct {
	Subject
	annotated
	note    reporter // of what nothing is lost by
	tenant  string
	created time.Time
	options options
	wishes  []wish
	secrets []secretWish

	served bool // something is made of it
}

// wish is one host and path, and what should answer there.
type wish struct {
	of   *owner
	rank rank
	// named is the host as the resource states it, "" for none; host is the one it is for.
	named, host string
	path        gateway.PathMatch
	to          backend
	field       string
}

// rank says how specific a wish is: those of a higher rank have what those of a lower rank
// leave, whatever their age.
type rank int

const (
	namedHost      rank = iota // a rule with a host
	anyHost                    // a rule without one
	defaultBackend             // what no rule takes
)

// backend is a Service's port, or a reason why there is none.
type backend struct {
	service string
	port    networkingv1.ServiceBackendPort
	field   string
	broken  bool // reported already: it answers 503
}

// secretWish is a Secret for hosts; no hosts means every name in it.
type secretWish struct {
	of        *owner
	namespace string
	name      string
	hosts     []string
	field     string
}

func newOwner(t *translator, kind string, m *metav1.ObjectMeta, tenant string) *owner {
	o := &owner{Subject: subjectOf(kind, m), tenant: tenant, created: m.CreationTimestamp.Time}
	o.annotated = annotated{values: m.Annotations, report: t.reporter(o.Subject)}
	o.note = t.reporterOf(o.Subject, corev1.EventTypeNormal)
	return o
}

// older orders owners by age; of equal ones the namespace and name decide.
func older(x, y *owner) int {
	return cmp.Or(x.created.Compare(y.created), x.compare(y.Subject))
}

// claim is what only one wish of a tenant can have.
type claim struct {
	tenant, host string
	path         gateway.PathMatch
}

// settle gives every host and path to one wish: by rank, then by the owner's age, then by
// the order within the resource. Whoever states a host and does not get it has a problem;
// rules without a host and default backends are meant for what is left.
func (t *translator) settle(owners []*owner) []wish {
	var all []wish
	for _, o := range owners {
		all = append(all, o.wishes...)
	}
	all = t.spread(all)
	slices.SortStableFunc(all, func(x, y wish) int { return cmp.Compare(x.rank, y.rank) })
	taken := map[claim]wish{}
	var out []wish
	for _, w := range all {
		c := claim{w.of.tenant, w.host, w.path}
		first, ok := taken[c]
		if !ok {
			taken[c] = w
			out = append(out, w)
			continue
		}
		if first.rank == w.rank {
			lost(w, first)
		}
	}
	return out
}

// lost tells the owner of w that another wish has what it wants.
func lost(w, first wish) {
	what := w.path.String()
	switch w.rank {
	case namedHost:
		what += " on host " + quote(w.host)
	case anyHost:
		what += " for every host"
	case defaultBackend:
		what = "What no rule takes"
	}
	switch {
	case first.of != w.of:
		w.of.report(w.field, ReasonPathTaken, "%s is already taken by %s, which is older, or comes first by its name: change it here, or there.", upper(what), first.of.Subject)
	case first.to.service == w.to.service && first.to.port == w.to.port && first.to.broken == w.to.broken:
		w.of.note(w.field, ReasonDuplicateRule, "%s stands twice in this resource, with the same backend: take one of them out.", upper(what))
	default:
		w.of.report(w.field, ReasonDuplicateRule, "%s stands twice in this resource, with different backends, and the first one counts: take one of them out.", upper(what))
	}
}

// spread puts wishes without a host on every host of their tenant: those that it claims, and
// those that its resources name.
func (t *translator) spread(all []wish) []wish {
	hosts := map[string]map[string]bool{}
	add := func(tenant, host string) {
		if hosts[tenant] == nil {
			hosts[tenant] = map[string]bool{}
		}
		hosts[tenant][host] = true
	}
	for _, o := range t.cfg.Owners {
		for _, raw := range o.Spec.Hosts {
			if h, err := gateway.NormalHost(raw); err == nil {
				add(o.Name, h)
			}
		}
	}
	for _, w := range all {
		if w.host != "" {
			add(w.of.tenant, w.host)
		}
	}
	var out []wish
	told := map[*owner]bool{}
	for _, w := range all {
		if w.host != "" {
			out = append(out, w)
			continue
		}
		for _, h := range sortedKeys(hosts[w.of.tenant]) {
			w.host = h
			out = append(out, w)
		}
		if len(hosts[w.of.tenant]) == 0 && !told[w.of] {
			told[w.of] = true
			w.of.report(w.field, ReasonHostMissing, "Tenant %q has no host, so nothing can be served without naming one: an administrator adds hosts to the Tenant's spec.hosts.", w.of.tenant)
		}
	}
	return out
}
