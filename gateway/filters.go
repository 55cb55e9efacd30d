package gateway

import (
	"reflect"
	"strings"
)

// filterKinds are the fields of [Filter], in its order.
var filterKinds = []struct {
	name string
	in   func(*Filter) bool
}{
	{"respond", func(f *Filter) bool { return f.Respond != nil }},
	{"ipAccess", func(f *Filter) bool { return f.IPAccess != nil }},
	{"requestHeaders", func(f *Filter) bool { return f.RequestHeaders != nil }},
	{"responseHeaders", func(f *Filter) bool { return f.ResponseHeaders != nil }},
	{"rewrite", func(f *Filter) bool { return f.Rewrite != nil }},
	{"redirect", func(f *Filter) bool { return f.Redirect != nil }},
	{"rateLimit", func(f *Filter) bool { return f.RateLimit != nil }},
	{"connectionLimit", func(f *Filter) bool { return f.ConnectionLimit != nil }},
	{"mirror", func(f *Filter) bool { return f.Mirror != nil }},
}

// kinds names the filters of an entry.
func (f *Filter) kinds() (names []string) {
	for _, k := range filterKinds {
		if k.in(f) {
			names = append(names, k.name)
		}
	}
	return names
}

// checkFilters reports entries that do not name exactly one filter.
func (b *builder) checkFilters(r *Route) {
	for i := range r.Spec.Filters {
		field := index("spec.filters", i)
		switch names := r.Spec.Filters[i].kinds(); len(names) {
		case 0:
			b.report(Problem{Object: r.Ref(), Field: field, Code: "filter_invalid",
				Message: "The entry names no filter that is known, so it does nothing: this version has " + knownFilters() + "."})
		case 1:
		default:
			b.report(Problem{Object: r.Ref(), Field: field, Code: "filter_invalid",
				Message: "The entry names several filters (" + strings.Join(names, ", ") + "), and all are in force: give each an entry of its own."})
		}
	}
}

func knownFilters() string {
	var names []string
	for _, k := range filterKinds {
		names = append(names, k.name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// filterOf returns the usable filter of one kind that a route has, or nil. A route has one of
// a kind; what comes of a second one says twice.
func filterOf[T any](r *Route, of func(*Filter) *T, use func(field string, f *T) *T, twice func(field string, first *T) *T) (out *T) {
	for i := range r.Spec.Filters {
		f := of(&r.Spec.Filters[i])
		switch field := index("spec.filters", i); {
		case f == nil:
		case out != nil:
			out = twice(field, out)
		default:
			out = use(field, f)
		}
	}
	return out
}

// onlyFirst is the usual answer to a second filter of a kind: it is left out.
func onlyFirst[T any](b *builder, r *Route, kind string) func(string, *T) *T {
	return func(field string, first *T) *T {
		b.report(Problem{Object: r.Ref(), Field: field, Code: "filter_twice",
			Message: "The route has " + article(kind) + " filter already, so this one is left out: keep one of them."})
		return first
	}
}

func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

// AnswersItself says that the edge answers every request of the route, and asks no upstream.
func (e *EffectiveRoute) AnswersItself() bool {
	return e.Respond != nil || e.Redirect != nil && e.Redirect.Always()
}

// sameFilters says whether two routes have filters that say the same.
func (e *EffectiveRoute) sameFilters(o *EffectiveRoute) bool {
	return same(e.Respond, o.Respond) &&
		same(e.IPAccess, o.IPAccess) &&
		same(e.RequestHeaders, o.RequestHeaders) && same(e.ResponseHeaders, o.ResponseHeaders) &&
		same(e.Rewrite, o.Rewrite) && same(e.Redirect, o.Redirect) &&
		same(e.RateLimit, o.RateLimit) && same(e.ConnectionLimit, o.ConnectionLimit) && same(e.Mirror, o.Mirror)
}

func same[T any](a, b *T) bool { return a == b || reflect.DeepEqual(a, b) }
