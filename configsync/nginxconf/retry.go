package nginxconf

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// nextUpstream are the reasons for which nginx asks the next endpoint. It has one list for
// all targets of a split: every reason that one of them names. nginx knows no difference
// between a connect that failed and a connection that was reset, and leaves requests that
// are not idempotent alone when it had sent them.
func (r *renderer) nextUpstream(route *gateway.EffectiveRoute) []string {
	wants := func(reasons ...string) bool {
		return slices.ContainsFunc(route.Targets, func(t gateway.Target) bool {
			on := strings.Fields(cmp.Or(r.traits[t.Upstream].retryOn, gateway.RetryConnect))
			return slices.ContainsFunc(reasons, func(s string) bool { return slices.Contains(on, s) })
		})
	}
	var out []string
	for _, c := range []struct {
		nginx   string
		reasons []string
	}{
		{"error", []string{gateway.RetryConnect, gateway.RetryReset}},
		{"timeout", []string{gateway.RetryConnect, gateway.RetryTimeout}},
		{"http_502", []string{gateway.RetryGateway, gateway.Retry502}},
		{"http_503", []string{gateway.RetryGateway, gateway.Retry503}},
		{"http_504", []string{gateway.RetryGateway, gateway.Retry504}},
	} {
		if wants(c.reasons...) {
			out = append(out, c.nginx)
		}
	}
	if out == nil {
		return []string{"error", "timeout"}
	}
	return out
}

// nextTimeout is how long after its first try nginx may ask the next endpoint: the route's
// timeout at most, and one time for all targets of a split, the longest. 0: any time.
func (r *renderer) nextTimeout(route *gateway.EffectiveRoute) gateway.Duration {
	longest := gateway.Duration(0)
	for _, t := range route.Targets {
		within := r.traits[t.Upstream].retryWithin
		if within == 0 {
			return route.Timeout // one of them has no bound of its own
		}
		longest = max(longest, within)
	}
	if longest == 0 || route.Timeout > 0 && route.Timeout < longest {
		return route.Timeout
	}
	return longest
}
