package admin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// explainFilters says who is refused after all, and what of the request changes on its way.
func explainFilters(x *api.Explanation, route *gateway.EffectiveRoute) {
	say := func(format string, args ...any) { x.Answer.Message += " " + fmt.Sprintf(format, args...) }
	if d := route.Redirect; d != nil && !d.Always() {
		say("Before that, requests that did not come by %s are sent there with %d.", d.Scheme, d.Status)
	}
	if w := route.Rewrite; w != nil {
		say("The upstream is asked for %s.", strings.Join(rewritten(w), ", "))
	}
	if route.IPAccess != nil {
		say("Clients whom ipAccess does not let in are answered 403.")
	}
	if l := route.RateLimit; l != nil {
		say("Beyond %d requests in %s %s the answer is %d.", l.Requests, l.Per, whose(l.Key), l.Status)
	}
	if l := route.ConnectionLimit; l != nil {
		say("Beyond %d requests in progress %s the answer is %d.", l.Max, whose(l.Key), l.Status)
	}
	if m := route.Mirror; m != nil {
		say("%d %% of the requests are copied to %s.", m.Percent, m.Upstream)
	}
	if e := route.RequestHeaders; e != nil && !route.AnswersItself() {
		say("Headers of the request change: %s.", strings.Join(edited(e), ", "))
	}
	if e := route.ResponseHeaders; e != nil {
		say("Headers of the answer change: %s.", strings.Join(edited(e), ", "))
	}
}

func rewritten(w *gateway.Rewrite) (asked []string) {
	if w.Path != "" {
		asked = append(asked, "path "+w.Path)
	}
	if w.Prefix != "" {
		asked = append(asked, w.Prefix+" in the place of the rule's prefix")
	}
	if w.Host != "" {
		asked = append(asked, "host "+w.Host)
	}
	return asked
}

// whose are the requests that a limit counts together.
func whose(k gateway.LimitKey) string {
	switch k.By {
	case gateway.KeyHost:
		return "for one host name"
	case gateway.KeyRoute:
		return "for the route"
	case gateway.KeyHeader:
		return "with one value of " + k.Header
	}
	return "of one client"
}

// edited are the names of the headers that an edit sets, adds or removes, sorted.
func edited(e *gateway.HeaderEdit) []string {
	return slices.Sorted(slices.Values(append(e.Drops(), slices.Collect(maps.Keys(e.Add))...)))
}
