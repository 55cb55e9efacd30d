package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Filter changes requests or answers of a route. Exactly one field is set.
type Filter struct {
	// Respond answers every request of the route instead of an upstream.
	Respond *Respond `json:"respond,omitempty"`
	// IPAccess refuses clients by their addresses, before anything else is done.
	IPAccess *IPAccess `json:"ipAccess,omitempty"`
	// RequestHeaders changes the fields that an upstream gets.
	RequestHeaders *HeaderEdit `json:"requestHeaders,omitempty"`
	// ResponseHeaders changes the fields that a client gets, with answers of Sluice's own too,
	// which keep their Content-Type.
	ResponseHeaders *HeaderEdit `json:"responseHeaders,omitempty"`
	// Rewrite changes what an upstream is asked for.
	Rewrite *Rewrite `json:"rewrite,omitempty"`
	// Redirect sends clients elsewhere.
	Redirect *Redirect `json:"redirect,omitempty"`
	// RateLimit refuses requests that come too fast.
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
	// ConnectionLimit refuses requests while too many are in progress.
	ConnectionLimit *ConnectionLimit `json:"connectionLimit,omitempty"`
	// Mirror copies requests to another upstream.
	Mirror *Mirror `json:"mirror,omitempty"`
}

// Respond is a fixed answer, with which a path is denied, for example.
type Respond struct {
	// Status is 200 to 599.
	Status int `json:"status"`
	// Headers by name. Content-Type is text/plain for a body that has none. Fields that
	// concern framing or the connection are refused, and Date, which Sluice writes.
	Headers map[string]string `json:"headers,omitempty"`
	// Body of at most 64 KiB; none with status 204 and 304.
	Body string `json:"body,omitempty"`
}

// MaxRespondBody bounds the body of a fixed answer: every edge keeps all of them in memory.
const MaxRespondBody = 64 << 10

// maxRespondHeaders keeps the head of a fixed answer within what clients accept.
const maxRespondHeaders = 8 << 10

// brokenStatus is answered when a filter's own can not be: the path stays closed.
const brokenStatus = 500

// ownHeaders are those that a fixed answer may not have, in lower case.
var ownHeaders = []string{"connection", "content-length", "date", "keep-alive", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade", "http2-settings"}

// respond returns the fixed answer of a route, or nil. What can not be used of it is left
// out; a filter that says nothing usable still keeps the route from its upstreams, since it
// may have been meant to deny a path.
func (b *builder) respond(r *Route) *Respond {
	return filterOf(r, func(f *Filter) *Respond { return f.Respond },
		func(field string, f *Respond) *Respond { return b.usableRespond(r, field+".respond.", f) },
		onlyFirst[Respond](b, r, "respond"))
}

func (b *builder) usableRespond(r *Route, field string, f *Respond) *Respond {
	report := func(at, code, format string, args ...any) {
		b.report(Problem{Object: r.Ref(), Field: field + at, Code: code, Message: fmt.Sprintf(format, args...)})
	}
	out := &Respond{Status: f.Status, Body: f.Body}
	if f.Status < 200 || f.Status > 599 {
		report("status", "status_invalid", "%d is not a status of a final answer, so %d is answered: write 200 to 599.", f.Status, brokenStatus)
		out.Status = brokenStatus
	}
	switch {
	case len(f.Body) > MaxRespondBody:
		report("body", "body_too_large", "The body has %d bytes, so it is left out: at most %d are possible.", len(f.Body), MaxRespondBody)
		out.Body = ""
	case f.Body != "" && (out.Status == 204 || out.Status == 304):
		report("body", "body_forbidden", "An answer with status %d has no body, so it is left out.", out.Status)
		out.Body = ""
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(f.Headers)) {
		value := f.Headers[name]
		total += len(name) + len(value) + 4
		_, twice := out.Headers[strings.ToLower(name)]
		switch why := headerProblem(name, value); {
		case why != "":
			report("headers", "header_invalid", "Header %q %s, so it is left out.", name, why)
		case twice:
			report("headers", "header_twice", "Header %q is given twice, since names differ in case only, so this one is left out.", name)
		case total > maxRespondHeaders:
			report("headers", "headers_too_large", "The headers have more than %d bytes, so %q is left out.", maxRespondHeaders, name)
		default:
			if out.Headers == nil {
				out.Headers = map[string]string{}
			}
			out.Headers[strings.ToLower(name)] = value
		}
	}
	return out
}

// headerProblem says why a field can't be part of a fixed answer, or returns "".
func headerProblem(name, value string) string {
	switch {
	case name == "" || strings.Trim(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return "has a name that is no token (RFC 9110 section 5.6.2)"
	case slices.Contains(ownHeaders, strings.ToLower(name)):
		return "concerns framing or the connection, or is Date, and is Sluice's own to write"
	case strings.Trim(value, " \t") != value:
		return "has a value that begins or ends with white space"
	case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c >= 0x7f }):
		return "has a value with a line end, another control character or a byte outside ASCII"
	}
	return ""
}
