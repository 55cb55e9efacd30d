package nginxconf

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// maxParameter keeps a quoted parameter below the 4096 bytes of nginx's configuration buffer.
const maxParameter = 3500

// respond lists what answers a route's requests by itself: return, as far as it can say the
// same as the Go edge. Otherwise the path stays closed with 503.
func (r *renderer) respond(route *gateway.EffectiveRoute) locationBody {
	b := locationBody{owner: routeRef(route)}
	b.add("set", "$sluice_route", plainName(route.Name))
	b.add("client_max_body_size", "0") // what is asked for is answered whatever comes with it
	if why := notPortable(route.Respond); why != "" {
		r.problem(b.owner, "spec.filters", "not_portable", "The respond filter can't be said in nginx, which answers 503 instead: %s", why)
		b.add("return", "503")
		return b
	}
	a := route.Respond
	for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
		switch {
		case name == "content-type", name == "location" && redirects(a.Status):
		case route.ResponseHeaders != nil && slices.Contains(route.ResponseHeaders.Drops(), name):
		default:
			b.add("add_header", name, a.Headers[name], "always")
		}
	}
	switch {
	case redirects(a.Status):
		b.add("absolute_redirect", "off")
		b.add("return", itoa(a.Status), a.Headers["location"])
	case a.Status == 204 || a.Status == 304:
		b.add("return", itoa(a.Status))
	case a.Body == "":
		// Without a text nginx writes a page of its own, and an empty text counts as none.
		b.add("set", "$sluice_nothing", "")
		b.add("return", itoa(a.Status), "$sluice_nothing")
	default:
		b.noTypes = true
		t, ok := a.Headers["content-type"]
		if !ok {
			t = "text/plain; charset=utf-8"
		}
		b.add("default_type", t)
		b.add("return", itoa(a.Status), a.Body)
	}
	return b
}

// redirects says whether nginx's return takes an address instead of a body.
func redirects(status int) bool {
	return slices.Contains([]int{301, 302, 303, 307, 308}, status)
}

// notPortable says what of a fixed answer nginx has no words for, or returns "".
func notPortable(a *gateway.Respond) string {
	switch {
	case a.Status == 444:
		return "444 closes the connection there"
	case redirects(a.Status) && a.Headers["location"] == "":
		return fmt.Sprintf("it answers %d with a Location only", a.Status)
	case redirects(a.Status) && a.Body != "":
		return fmt.Sprintf("it answers %d with a body of its own", a.Status)
	case strings.ContainsRune(a.Body, '$'):
		return `it would take "$" in the body for a variable`
	case hasControl(strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(a.Body)):
		return "the body holds control characters"
	case len(Quote(a.Body)) > maxParameter:
		return fmt.Sprintf("the body is longer than %d bytes", maxParameter)
	case a.Body == "" && a.Headers["content-type"] != "":
		return "it gives an answer without a body no Content-Type of ours"
	}
	for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
		value := a.Headers[name]
		switch {
		case len(name) > maxShown:
			return fmt.Sprintf("the name of a header is longer than %d bytes", maxShown)
		case name == "server":
			return "it writes the header server itself"
		case strings.ContainsRune(value, '$'):
			return fmt.Sprintf(`it would take "$" in header %s for a variable`, name)
		case hasControl(name) || hasControl(strings.ReplaceAll(value, "\t", "")):
			return "a header holds control characters"
		case value == "":
			return fmt.Sprintf("it leaves out the header %s, which is empty", name)
		case len(Quote(value)) > maxParameter:
			return fmt.Sprintf("the header %s is longer than %d bytes", name, maxParameter)
		}
	}
	return ""
}
