package gateway

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// CheckTypes lists what endpoints can be asked.
var CheckTypes = []string{"http", "tcp", "grpc", "redis", "mysql"}

// active fills in the check that probes. One that can't be asked as it is written is left
// out: a probe that always fails would take every endpoint down.
func (c *upstreamChecker) active(written *ActiveCheck) {
	if written == nil {
		return
	}
	a := *written
	a.Type = cmp.Or(a.Type, "http")
	if !slices.Contains(CheckTypes, a.Type) {
		c.problem("spec.health.active.type", "check_unknown", "Check type %q is not known, so endpoints are not probed: write %s. Checks of type http use TLS where the protocol of the upstream does.",
			a.Type, strings.Join(CheckTypes, ", "))
		return
	}
	if !c.askable(&a) {
		return
	}
	c.foreign(a)
	if a.Type == "http" {
		a.Path = cmp.Or(a.Path, "/")
		a.Expect = c.expect("spec.health.active.expect", a.Expect)
		a.ExpectNot = c.expect("spec.health.active.expectNot", a.ExpectNot)
		if a.Expect == nil && a.ExpectNot == nil {
			a.Expect = []string{"200-399"}
		}
	}
	if a.Initial != "" && a.Initial != "unknown" && a.Initial != "down" {
		c.problem("spec.health.active.initial", "check_invalid", "Initial state %q is not known, so unknown is in force: write unknown or down.", a.Initial)
		a.Initial = ""
	}
	a.Interval = max(Duration(100*time.Millisecond), cmp.Or(a.Interval, Duration(5*time.Second)))
	a.Timeout = cmp.Or(a.Timeout, Duration(2*time.Second))
	a.Rise = c.positive("spec.health.active.rise", a.Rise, 2)
	a.Fall = c.positive("spec.health.active.fall", a.Fall, 3)
	c.out.Health.Active = &a
}

// initial is the verdict on an endpoint of which health has said nothing yet.
func (a *ActiveCheck) initial(e EndpointKey) Verdict {
	if a != nil && a.Initial == "down" {
		return Verdict{EndpointKey: e, State: StateDown, Rule: "initial", Reason: "no probe has succeeded yet"}
	}
	return Verdict{EndpointKey: e, State: StateUnknown}
}

// askable notes what keeps the check from being sent.
func (c *upstreamChecker) askable(a *ActiveCheck) bool {
	invalid := func(field, format string, args ...any) {
		c.problem("spec.health.active."+field, "check_invalid", format, args...)
	}
	switch _, err := regexp.Compile(a.Body); {
	case a.Type == "http" && a.Path != "" && !validProbePath(a.Path):
		invalid("path", "Path %q can't be sent, so endpoints are not probed: begin with a slash and leave out spaces and control characters.", a.Path)
		return false
	case !visible(a.Host):
		invalid("host", "Host %q can't be sent, so endpoints are not probed: leave out spaces and control characters.", a.Host)
		return false
	case err != nil:
		invalid("body", "Pattern %q can't be read, so endpoints are not probed: %s.", a.Body, err)
		return false
	case a.Type == "redis" && a.User != "" && a.Password == "":
		invalid("password", "User %q has no password to log in with, so endpoints are not probed: write it, or leave the user out.", a.User)
		return false
	case len(a.Password) > 512:
		invalid("password", "The password is longer than 512 bytes, so endpoints are not probed.")
		return false
	case len(a.User) > 80 || !visible(a.User):
		invalid("user", "User %q can't be sent, so endpoints are not probed: write at most 80 letters.", a.User)
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
		if problem := probeHeaderProblem(name, a.Headers[name]); problem != "" {
			invalid("headers", "Header %q %s, so endpoints are not probed.", name, problem)
			return false
		}
	}
	return true
}

// probeHeaderProblem says why a probe can't carry the header, or nothing.
func probeHeaderProblem(name, value string) string {
	switch {
	case !token(name):
		return "is not a header name"
	case strings.EqualFold(name, "host"):
		return "is what the field host is for"
	case slices.Contains([]string{"connection", "content-length", "te", "transfer-encoding", "upgrade"}, strings.ToLower(name)):
		return "is about the connection, which is the probe's own"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "has a value with control characters"
	}
	return ""
}

// token says that s may be the name of a header (RFC 9110 section 5.6.2) or of a cookie.
func token(s string) bool {
	const marks = "!#$%&'*+-.^_`|~" // besides letters and digits
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(marks, r)
	})
}

// foreign notes fields that the check's type does not look at: whoever wrote them expects
// more of the check than it does.
func (c *upstreamChecker) foreign(a ActiveCheck) {
	for _, f := range []struct {
		name  string
		set   bool
		types string
	}{
		{"path", a.Path != "", "http"}, {"host", a.Host != "", "http grpc"}, {"headers", a.Headers != nil, "http grpc"},
		{"expect", a.Expect != nil, "http"}, {"expectNot", a.ExpectNot != nil, "http"}, {"body", a.Body != "", "http"},
		{"service", a.Service != "", "grpc"}, {"replication", a.Replication, "redis"}, {"user", a.User != "", "mysql redis"}, {"password", a.Password != "", "redis"},
	} {
		if f.set && !slices.Contains(strings.Fields(f.types), a.Type) {
			c.problem("spec.health.active."+f.name, "check_unused", "Checks of type %s do not look at %s: leave it out, or write type: %s.",
				a.Type, f.name, strings.ReplaceAll(f.types, " ", " or "))
		}
	}
}

func validProbePath(p string) bool { return strings.HasPrefix(p, "/") && visible(p) }

// visible says that s has neither spaces, control characters nor anything beyond ASCII.
func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// expect keeps the well-formed statuses and ranges, or returns nil.
func (c *upstreamChecker) expect(field string, list []string) []string {
	var out []string
	for i, s := range list {
		if _, _, err := StatusRange(s); err != nil {
			c.problem(index(field, i), "status_invalid", "%s", sentence(err))
			continue
		}
		out = append(out, s)
	}
	return out
}
