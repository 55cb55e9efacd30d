package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// HeaderEdit changes the fields of a head. A name stands in one of the lists only; its case
// does not count. Values are taken as they stand: there are no variables in them.
type HeaderEdit struct {
	// Set gives a field this value and no other.
	Set map[string]string `json:"set,omitempty"`
	// Add puts a further field behind those that there are.
	Add map[string]string `json:"add,omitempty"`
	// Remove takes all fields of that name out.
	Remove []string `json:"remove,omitempty"`
}

// Drops are the names of the fields that do not stay as they came, sorted.
func (e *HeaderEdit) Drops() []string {
	out := slices.Concat(e.Remove, slices.Collect(maps.Keys(e.Set)))
	slices.Sort(out)
	return out
}

// edgeHeaders are those of a request that an edge writes or takes out itself, in lower case,
// besides ownHeaders and all that begin with x-forwarded-.
var edgeHeaders = []string{"host", "expect", "forwarded", "proxy", "proxy-authenticate", "proxy-authorization", "x-original-url", "x-real-ip", "x-rewrite-url"}

// singleHeaders have one value at most, so that nothing can be added to them.
var singleHeaders = []string{"authorization", "content-encoding", "content-type", "cookie", "etag", "expires", "last-modified", "location", "referer", "retry-after", "server", "user-agent"}

// direction is which head an edit is for.
type direction struct {
	filter string
	of     func(*Filter) *HeaderEdit
	refuse func(name string) bool // names in lower case
}

var (
	towardsUpstream = direction{"requestHeaders", func(f *Filter) *HeaderEdit { return f.RequestHeaders }, edgeOnly}
	towardsClient   = direction{"responseHeaders", func(f *Filter) *HeaderEdit { return f.ResponseHeaders }, func(name string) bool {
		return name == "proxy-authenticate" || name == "proxy-authorization" // they stay on the connection
	}}
)

// edgeOnly looks at names as a CGI-style origin reads them, to which "_" is "-".
func edgeOnly(name string) bool {
	name = strings.ReplaceAll(name, "_", "-")
	return slices.Contains(edgeHeaders, name) || slices.Contains(ownHeaders, name) || strings.HasPrefix(name, "x-forwarded-")
}

// headerEdit returns the usable edit of a route in one direction, names in lower case, or nil.
func (b *builder) headerEdit(r *Route, d direction) *HeaderEdit {
	return filterOf(r, d.of,
		func(field string, f *HeaderEdit) *HeaderEdit { return b.usableEdit(r, field+"."+d.filter, f, d) },
		onlyFirst[HeaderEdit](b, r, d.filter))
}

// editing is an edit while it is checked, name by name.
type editing struct {
	out    HeaderEdit
	total  int // bytes
	report func(at, code, format string, args ...any)
	refuse func(name string) bool
	seen   map[string]bool
}

func (b *builder) usableEdit(r *Route, field string, f *HeaderEdit, d direction) *HeaderEdit {
	e := editing{refuse: d.refuse, seen: map[string]bool{}, report: func(at, code, format string, args ...any) {
		b.report(Problem{Object: r.Ref(), Field: field + at, Code: code, Message: fmt.Sprintf(format, args...)})
	}}
	for _, name := range slices.Sorted(maps.Keys(f.Set)) {
		if e.takes(".set", name, f.Set[name], true) {
			put(&e.out.Set, name, f.Set[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Add)) {
		switch {
		case slices.Contains(singleHeaders, strings.ToLower(name)):
			e.report(".add", "header_single", "Header %q has one value only, so nothing is added to it: use set.", name)
		case e.takes(".add", name, f.Add[name], true):
			put(&e.out.Add, name, f.Add[name])
		}
	}
	for i, name := range f.Remove {
		if e.takes(index(".remove", i), name, "", false) {
			e.out.Remove = append(e.out.Remove, strings.ToLower(name))
		}
	}
	slices.Sort(e.out.Remove)
	if len(e.seen) == 0 {
		if len(f.Set)+len(f.Add)+len(f.Remove) == 0 {
			e.report("", "header_missing", "The filter names no header, so it does nothing: say what to set, add or remove.")
		}
		return nil
	}
	return &e.out
}

func put(m *map[string]string, name, value string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[strings.ToLower(name)] = value
}

// takes says whether a name can be part of the edit, and reports why not.
func (e *editing) takes(at, name, value string, valued bool) bool {
	lower := strings.ToLower(name)
	why := headerProblem(name, value)
	switch {
	case why == "" && (e.refuse(lower) || strings.HasPrefix(lower, "sec-websocket-")):
		why = "is Sluice's own to write"
	case why == "" && valued && value == "":
		why = "has no value: use remove"
	}
	switch total := e.total + len(name) + len(value) + 4; {
	case why != "":
		e.report(at, "header_invalid", "Header %q %s, so it is left as it is.", name, why)
	case e.seen[lower]:
		e.report(at, "header_twice", "Header %q stands in the filter twice, since case does not count, so this one is left out.", name)
	case total > maxRespondHeaders:
		e.report(at, "headers_too_large", "The headers have more than %d bytes, so %q is left out.", maxRespondHeaders, name)
	default:
		e.seen[lower], e.total = true, total
		return true
	}
	return false
}
