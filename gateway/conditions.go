package gateway

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Conditions are what a request has to have besides its path: one of the methods, all of the
// headers and all of the query parameters.
type Conditions struct {
	// Methods are in upper case; empty: every method. HEAD is a method of its own.
	Methods []string      `json:"methods,omitempty"`
	Headers []HeaderMatch `json:"headers,omitempty"`
	Query   []QueryMatch  `json:"query,omitempty"`
}

// HeaderMatch compares one field of the request. Exact or Present is set.
type HeaderMatch struct {
	Name string `json:"name"`
	// Exact is the whole value; of several fields of that name, joined by ", ".
	Exact string `json:"exact,omitempty"`
	// Present takes every value.
	Present bool `json:"present,omitempty"`
}

// QueryMatch compares one parameter of the query, decoded. Of several of that name the first
// counts.
type QueryMatch struct {
	Name  string `json:"name"`
	Exact string `json:"exact"`
}

// maxConditions bounds the headers and parameters of one alternative, as Gateway API does.
const maxConditions = 16

// Any says whether there are conditions at all.
func (c *Conditions) Any() bool { return len(c.Methods)+len(c.Headers)+len(c.Query) > 0 }

func (c *Conditions) equal(o *Conditions) bool {
	return slices.Equal(c.Methods, o.Methods) && slices.Equal(c.Headers, o.Headers) && slices.Equal(c.Query, o.Query)
}

// compareConditions puts first what asks for a method, then what asks for more headers, then for
// more parameters (Gateway API's precedence behind the path).
func compareConditions(x, y *Conditions) int {
	byMethod := func(c *Conditions) int { return min(len(c.Methods), 1) }
	return cmp.Or(cmp.Compare(byMethod(y), byMethod(x)), cmp.Compare(len(y.Headers), len(x.Headers)), cmp.Compare(len(y.Query), len(x.Query)))
}

// Unmet says which condition a request does not meet, or returns "". header returns the value of
// a field by its name in lower case.
func (c *Conditions) Unmet(method string, header func(name string) (string, bool), query url.Values) string {
	if len(c.Methods) > 0 && !slices.Contains(c.Methods, method) {
		return fmt.Sprintf("The method is none of %s.", strings.Join(c.Methods, ", "))
	}
	for _, h := range c.Headers {
		if value, ok := header(h.Name); !ok {
			return fmt.Sprintf("There is no header %s.", h.Name)
		} else if !h.Present && value != h.Exact {
			return fmt.Sprintf("The header %s is not %q.", h.Name, h.Exact)
		}
	}
	for _, q := range c.Query {
		if values := query[q.Name]; len(values) == 0 || values[0] != q.Exact {
			return fmt.Sprintf("The query has no %s=%s.", q.Name, q.Exact)
		}
	}
	return ""
}

// String reads `, methods GET POST, header x-env "prod"`, and is empty without conditions.
func (c *Conditions) String() string {
	var b strings.Builder
	if len(c.Methods) > 0 {
		b.WriteString(", methods " + strings.Join(c.Methods, " "))
	}
	for _, h := range c.Headers {
		if b.WriteString(", header " + h.Name); !h.Present {
			b.WriteString(" " + quote(h.Exact))
		}
	}
	for _, q := range c.Query {
		b.WriteString(", query " + q.Name + "=" + quote(q.Exact))
	}
	return b.String()
}

// normalConditions returns the conditions of an alternative in normal form: sorted, names of
// headers in lower case.
func normalConditions(c Conditions) (out Conditions, field string, err error) {
	if n := len(c.Headers) + len(c.Query); n > maxConditions {
		return out, "", fmt.Errorf("the alternative names %d headers and parameters, and at most %d are possible", n, maxConditions)
	}
	for i, m := range c.Methods {
		if m == "" || len(m) > 32 || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
			return out, index("methods", i), fmt.Errorf("method %q is none: write it in upper case, such as GET", m)
		}
	}
	out.Methods = slices.Compact(slices.Sorted(slices.Values(c.Methods)))
	for i, h := range c.Headers {
		h.Name = strings.ToLower(h.Name)
		switch why := headerProblem(h.Name, h.Exact); {
		case h.Name == "host":
			return out, index("headers", i), fmt.Errorf("the host is matched by spec.hosts")
		case why != "":
			return out, index("headers", i), fmt.Errorf("header %q %s", h.Name, why)
		case h.Present == (h.Exact != ""):
			return out, index("headers", i), fmt.Errorf("header %q has to be given by either exact or present", h.Name)
		case slices.ContainsFunc(out.Headers, func(o HeaderMatch) bool { return o.Name == h.Name }):
			return out, index("headers", i), fmt.Errorf("header %q is named twice", h.Name)
		}
		out.Headers = append(out.Headers, h)
	}
	for i, q := range c.Query {
		switch {
		case q.Name == "" || len(q.Name)+len(q.Exact) > 1024:
			return out, index("query", i), fmt.Errorf("the parameter has no name, or more than 1024 bytes")
		case slices.ContainsFunc(out.Query, func(o QueryMatch) bool { return o.Name == q.Name }):
			return out, index("query", i), fmt.Errorf("parameter %q is named twice", q.Name)
		}
		out.Query = append(out.Query, q)
	}
	slices.SortFunc(out.Headers, func(x, y HeaderMatch) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortFunc(out.Query, func(x, y QueryMatch) int { return cmp.Compare(x.Name, y.Name) })
	return out, "", nil
}
