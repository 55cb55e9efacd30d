package gateway_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestRewritesAndRedirects(t *testing.T) {
	type filters = []gateway.Filter
	rewrite := func(w gateway.Rewrite) gateway.Filter { return gateway.Filter{Rewrite: &w} }
	redirect := func(d gateway.Redirect) gateway.Filter { return gateway.Filter{Redirect: &d} }
	deny := gateway.Filter{Respond: &gateway.Respond{Status: 403}}
	broken := &gateway.Respond{Status: 500}
	to := []gateway.RouteTarget{{Upstream: "api"}}
	for name, c := range map[string]struct {
		to       []gateway.RouteTarget
		filters  filters
		rewrite  *gateway.Rewrite
		redirect *gateway.Redirect
		respond  *gateway.Respond
		problems []string
	}{
		"a prefix":          {to: to, filters: filters{rewrite(gateway.Rewrite{Prefix: "/v2/", Host: "API.Internal."})}, rewrite: &gateway.Rewrite{Prefix: "/v2", Host: "api.internal"}},
		"away":              {to: to, filters: filters{rewrite(gateway.Rewrite{Prefix: "/"})}, rewrite: &gateway.Rewrite{Prefix: "/"}},
		"a path":            {to: to, filters: filters{rewrite(gateway.Rewrite{Path: "/x/"})}, rewrite: &gateway.Rewrite{Path: "/x/"}},
		"twice":             {to: to, filters: filters{rewrite(gateway.Rewrite{Path: "/x"}), rewrite(gateway.Rewrite{Path: "/y"})}, rewrite: &gateway.Rewrite{Path: "/x"}, problems: []string{"spec.filters[1] filter_twice"}},
		"both":              {to: to, filters: filters{rewrite(gateway.Rewrite{Path: "/x", Prefix: "/y"})}, respond: broken, problems: []string{"spec.filters[0].rewrite rewrite_invalid", "spec.to target_unused"}},
		"nothing":           {to: to, filters: filters{rewrite(gateway.Rewrite{})}, respond: broken, problems: []string{"spec.filters[0].rewrite rewrite_invalid", "spec.to target_unused"}},
		"no path":           {to: to, filters: filters{rewrite(gateway.Rewrite{Path: "x"})}, respond: broken, problems: []string{"spec.filters[0].rewrite.path rewrite_invalid", "spec.to target_unused"}},
		"a variable":        {to: to, filters: filters{rewrite(gateway.Rewrite{Prefix: "/$host"})}, respond: broken, problems: []string{"spec.filters[0].rewrite.prefix rewrite_invalid", "spec.to target_unused"}},
		"two slashes":       {to: to, filters: filters{rewrite(gateway.Rewrite{Prefix: "//"})}, respond: broken, problems: []string{"spec.filters[0].rewrite.prefix rewrite_invalid", "spec.to target_unused"}},
		"a wildcard":        {to: to, filters: filters{rewrite(gateway.Rewrite{Host: "*.test"})}, respond: broken, problems: []string{"spec.filters[0].rewrite.host rewrite_invalid", "spec.to target_unused"}},
		"a port in it":      {to: to, filters: filters{rewrite(gateway.Rewrite{Host: "a.test:80"})}, respond: broken, problems: []string{"spec.filters[0].rewrite.host rewrite_invalid", "spec.to target_unused"}},
		"https, no to":      {filters: filters{redirect(gateway.Redirect{Scheme: "https"})}, redirect: &gateway.Redirect{Scheme: "https", Status: 302}},
		"https, with to":    {to: to, filters: filters{redirect(gateway.Redirect{Scheme: "https", Status: 301}), rewrite(gateway.Rewrite{Prefix: "/"})}, redirect: &gateway.Redirect{Scheme: "https", Status: 301}, rewrite: &gateway.Rewrite{Prefix: "/"}},
		"https, else fixed": {filters: filters{redirect(gateway.Redirect{Scheme: "https"}), deny}, redirect: &gateway.Redirect{Scheme: "https", Status: 302}, respond: deny.Respond},
		"always, with to":   {to: to, filters: filters{redirect(gateway.Redirect{Host: "new.test", Port: 8443})}, redirect: &gateway.Redirect{Host: "new.test", Port: 8443, Status: 302}, problems: []string{"spec.to target_unused"}},
		"and rewritten":     {filters: filters{redirect(gateway.Redirect{Path: "/x"}), rewrite(gateway.Rewrite{Path: "/y"})}, redirect: &gateway.Redirect{Path: "/x", Status: 302}, problems: []string{"spec.filters filter_unused"}},
		"and denied":        {filters: filters{redirect(gateway.Redirect{Path: "/x"}), deny, rewrite(gateway.Rewrite{Path: "/y"})}, respond: deny.Respond, problems: []string{"spec.filters filter_unused", "spec.filters filter_unused"}},
		"nowhere":           {filters: filters{redirect(gateway.Redirect{Status: 301})}, respond: broken, problems: []string{"spec.filters[0].redirect redirect_invalid"}},
		"another status":    {filters: filters{redirect(gateway.Redirect{Path: "/", Status: 200})}, respond: broken, problems: []string{"spec.filters[0].redirect.status redirect_invalid"}},
		"another scheme":    {filters: filters{redirect(gateway.Redirect{Scheme: "javascript"})}, respond: broken, problems: []string{"spec.filters[0].redirect.scheme redirect_invalid"}},
		"another port":      {filters: filters{redirect(gateway.Redirect{Port: 65536})}, respond: broken, problems: []string{"spec.filters[0].redirect.port redirect_invalid"}},
		"Location too": {filters: filters{redirect(gateway.Redirect{Path: "/x"}), {ResponseHeaders: &gateway.HeaderEdit{Set: map[string]string{"location": "/y"}}}},
			redirect: &gateway.Redirect{Path: "/x", Status: 302}, problems: []string{"spec.filters filter_unused"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := withRoute(gateway.RouteSpec{To: c.to, Filters: c.filters})
			if got := fieldCodes(s); !slices.Equal(got, c.problems) {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
			r := s.Hosts[0].Rules[0].Route
			if diff := cmp.Diff([]any{c.rewrite, c.redirect, c.respond}, []any{r.Rewrite, r.Redirect, r.Respond}); diff != "" {
				t.Error(diff)
			}
			if r.ResponseHeaders != nil && len(r.ResponseHeaders.Set) > 0 {
				t.Errorf("Location is set twice: %v", r.ResponseHeaders)
			}
		})
	}
}
