package gateway

import (
	"fmt"
	"slices"
)

// limits is what all policies together allow.
type limits struct {
	maxBodySize Size     // 0: no bound
	timeout     Duration // 0: no bound
	bySize      Ref
	byTimeout   Ref
	locks       map[string]Ref
	nginx       []string
}

// limitsOf takes the strictest value of each bound, every lock, and every allowed
// directive.
func limitsOf(policies []*Policy) limits {
	l := limits{locks: map[string]Ref{}}
	for _, p := range sortedByName(policies) {
		if m := p.Spec.MaxBodySize.Max; m > 0 && (l.maxBodySize == 0 || m < l.maxBodySize) {
			l.maxBodySize, l.bySize = m, p.Ref()
		}
		if m := p.Spec.Timeout.Max; m > 0 && (l.timeout == 0 || m < l.timeout) {
			l.timeout, l.byTimeout = m, p.Ref()
		}
		for _, f := range p.Spec.Locks {
			if _, ok := l.locks[f]; !ok {
				l.locks[f] = p.Ref()
			}
		}
		l.nginx = append(l.nginx, p.Spec.NginxDirectives...)
	}
	slices.Sort(l.nginx)
	l.nginx = slices.Compact(l.nginx)
	return l
}

// unlocked says whether an override may change the field, and reports it when not.
func (b *builder) unlocked(o *Override, field string) bool {
	by, locked := b.limits.locks[field]
	if locked {
		b.report(Problem{Object: o.Ref(), Field: "spec.set." + field, Code: "field_locked",
			Message: fmt.Sprintf("%s locks %s, so this override leaves it as it is: ask an administrator.", by, field)})
	}
	return !locked
}

// clamp keeps a field under the policies' bound and returns who decided its value: the
// author, or the policy whose bound was passed. A route without a timeout has no bound of
// its own, which a ceiling does bound. written says that the author gave the value; a default
// over the bound is no mistake of anybody's.
func (b *builder) clamp(e *EffectiveRoute, author Ref, at, field string, written bool) Ref {
	var value, bound, by = "", "", Ref{}
	switch l := b.limits; field {
	case "timeout":
		if l.timeout == 0 || e.Timeout != 0 && e.Timeout <= l.timeout {
			return author
		}
		value, bound, by = e.Timeout.String(), l.timeout.String(), l.byTimeout
		e.Timeout = l.timeout
		if !written {
			return by
		}
	case "maxBodySize":
		if l.maxBodySize == 0 || e.MaxBodySize <= l.maxBodySize {
			return author
		}
		value, bound, by = e.MaxBodySize.String(), l.maxBodySize.String(), l.bySize
		e.MaxBodySize = l.maxBodySize
		if !written {
			return by
		}
	}
	b.report(Problem{Object: author, Field: at + field, Code: "over_policy",
		Message: fmt.Sprintf("%s %s is above the %s that %s allows, so %s is in force.", field, value, bound, by, bound)})
	return by
}
