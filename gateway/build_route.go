package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DefaultMaxBodySize bounds request bodies of routes that do not say otherwise.
const DefaultMaxBodySize Size = 10 << 20

// maxWeight keeps sums of weights far from overflow and rendered nginx weights readable.
const maxWeight = 1000

// buildRoutes puts every route under its hosts, oldest first, so that of two routes that
// claim one path the older keeps it.
func (b *builder) buildRoutes() {
	overrides := map[UpstreamKey][]*Override{} // keyed by tenant and route name
	for _, o := range b.in.Overrides {
		k := UpstreamKey{o.Tenant, o.Spec.Route}
		overrides[k] = append(overrides[k], o)
	}
	for _, r := range b.in.Routes {
		if b.tenants[r.Tenant] == nil {
			b.reportOrphan(&r.Meta)
			continue
		}
		eff := b.effectiveRoute(r, overrides[UpstreamKey{r.Tenant, r.Name}])
		matches := b.matches(r)
		if len(r.Spec.Hosts) == 0 {
			b.report(Problem{Object: r.Ref(), Field: "spec.hosts", Code: "host_missing",
				Message: "The route names no host, so no request can reach it: list hosts that its tenant claims."})
		}
		for i, raw := range r.Spec.Hosts {
			if host := b.routeHost(r, i, raw); host != nil {
				b.addRules(r, host, matches, eff)
			}
		}
	}
	for _, h := range b.hosts {
		// Of rules that ask for as much the older one stays first.
		slices.SortStableFunc(h.Rules, func(x, y Rule) int {
			return cmp.Or(comparePaths(x.Path, y.Path), compareConditions(&x.Conditions, &y.Conditions))
		})
	}
}

// routeHost returns the entry for a host of a route, or nil with a Problem when the
// route's tenant may not use it.
func (b *builder) routeHost(r *Route, i int, raw string) *Host {
	name, err := NormalHost(raw)
	if err != nil {
		b.report(Problem{Object: r.Ref(), Field: index("spec.hosts", i), Code: "host_invalid", Message: sentence(err)})
		return nil
	}
	if owner := b.ownerOf(name); owner != r.Tenant {
		msg := fmt.Sprintf("Host %q is not among the hosts of tenant %q: an administrator adds it to the Tenant's spec.hosts.", name, r.Tenant)
		if owner != "" {
			msg = fmt.Sprintf("Host %q belongs to tenant %q, so a route of tenant %q can't use it.", name, owner, r.Tenant)
		}
		b.report(Problem{Object: r.Ref(), Field: index("spec.hosts", i), Code: "host_not_owned", Message: msg})
		return nil
	}
	if b.hosts[name] == nil {
		b.hosts[name] = &Host{Name: name, Tenant: r.Tenant}
	}
	return b.hosts[name]
}

// hostPath is a path of a host, by which its rules are found while they are added.
type hostPath struct {
	host *Host
	path PathMatch
}

func (b *builder) addRules(r *Route, h *Host, matches []Match, eff *EffectiveRoute) {
	for _, m := range matches {
		k := hostPath{h, m.Path}
		i := slices.IndexFunc(b.rules[k], func(at int) bool { return h.Rules[at].equal(&m.Conditions) })
		if i < 0 {
			b.rules[k] = append(b.rules[k], len(h.Rules))
			h.Rules = append(h.Rules, Rule{Path: m.Path, Conditions: m.Conditions, Route: eff})
		} else if first := h.Rules[b.rules[k][i]].Route; first != eff {
			b.report(Problem{Object: r.Ref(), Field: "spec.match", Code: "path_taken",
				Message: fmt.Sprintf("%s%s on host %q is already taken by route %q, which is older: change the path here, or delete the other route.", m.Path, &m.Conditions, h.Name, first.Name)})
		}
	}
}

// comparePaths puts exact paths before prefixes and longer ones before shorter ones, so
// that the first match is the most specific one (Gateway API's precedence).
func comparePaths(x, y PathMatch) int {
	exact := func(p PathMatch) int {
		if p.Exact != "" {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(exact(x), exact(y)), cmp.Compare(len(y.Exact+y.Prefix), len(x.Exact+x.Prefix)),
		cmp.Compare(x.Exact+x.Prefix, y.Exact+y.Prefix))
}

// String reads `prefix "/api"` or `exact "/login"`.
func (p PathMatch) String() string {
	if p.Exact != "" {
		return "exact " + quote(p.Exact)
	}
	return "prefix " + quote(p.Prefix)
}

// matches returns the usable alternatives of a route in normal form: a prefix has no slash at
// its end but for "/" itself.
func (b *builder) matches(r *Route) []Match {
	if len(r.Spec.Match) == 0 {
		return []Match{{Path: PathMatch{Prefix: "/"}}}
	}
	var out []Match
	for i, m := range r.Spec.Match {
		p, err := normalMatch(m.Path)
		if err != nil {
			b.report(Problem{Object: r.Ref(), Field: index("spec.match", i) + ".path", Code: "path_invalid", Message: sentence(err)})
			continue
		}
		c, at, err := normalConditions(m.Conditions)
		if err != nil {
			b.report(Problem{Object: r.Ref(), Field: strings.TrimSuffix(index("spec.match", i)+"."+at, "."), Code: "match_invalid",
				Message: sentence(err) + " The alternative is left out until this is settled."})
			continue
		}
		out = append(out, Match{Path: p, Conditions: c})
	}
	return out
}

func normalMatch(p PathMatch) (PathMatch, error) {
	switch {
	case p == PathMatch{}:
		return PathMatch{Prefix: "/"}, nil
	case p.Exact != "" && p.Prefix != "":
		return p, errors.New("the path has both exact and prefix: keep one of them")
	case p.Exact != "":
		return p, checkPath(p.Exact)
	}
	err := checkPath(p.Prefix) // as written: without its last slash, "//" would be "/" and take everything
	if p.Prefix != "/" {
		p.Prefix = strings.TrimSuffix(p.Prefix, "/")
	}
	return p, err
}

// checkPath takes paths in the normal form in which requests are compared: anything else
// could never match, or would match more than it says.
func checkPath(p string) error {
	if !strings.HasPrefix(p, "/") {
		return fmt.Errorf("path %q does not begin with a slash", p)
	}
	if len(p) > 4096 {
		return errors.New("the path is longer than 4096 bytes")
	}
	for _, c := range p {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune(`?#%;\"{}$`, c) {
			return fmt.Errorf("path %q holds %q: write plain ASCII path characters, without query, escapes or parameters", p, c)
		}
	}
	for s := range strings.SplitSeq(p[1:], "/") {
		if s == "." || s == ".." {
			return fmt.Errorf("path %q holds the dot segment %q: requests are compared after dot segments are resolved, so it could never match", p, s)
		}
	}
	if strings.Contains(p, "//") {
		return fmt.Errorf("path %q holds an empty segment: requests are compared after slashes are merged, so it could never match", p)
	}
	return nil
}

func (b *builder) effectiveRoute(r *Route, overrides []*Override) *EffectiveRoute {
	b.checkFilters(r)
	e := &EffectiveRoute{Tenant: r.Tenant, Name: r.Name, Respond: b.respond(r), IPAccess: b.ipAccess(r), Rewrite: b.rewrite(r), Redirect: b.redirect(r), Timeout: r.Spec.Timeout,
		MaxBodySize: cmp.Or(r.Spec.MaxBodySize, DefaultMaxBodySize), SingleLabel: r.Spec.SingleLabel,
		RequestHeaders: b.headerEdit(r, towardsUpstream), ResponseHeaders: b.headerEdit(r, towardsClient),
		RateLimit: b.rateLimit(r), ConnectionLimit: b.connectionLimit(r)}
	b.settle(r, e)
	e.Mirror = b.mirror(r, e)
	e.Targets = b.targets(r, e)
	slices.SortFunc(overrides, func(x, y *Override) int {
		return cmp.Or(cmp.Compare(x.Spec.Precedence, y.Spec.Precedence), cmp.Compare(x.Name, y.Name))
	})
	origins := map[string]Ref{}
	if by := b.clamp(e, r.Ref(), "spec.", "timeout", r.Spec.Timeout != 0); by != r.Ref() {
		origins["timeout"] = by
	}
	if by := b.clamp(e, r.Ref(), "spec.", "maxBodySize", r.Spec.MaxBodySize != 0); by != r.Ref() {
		origins["maxBodySize"] = by
	}
	for _, o := range overrides {
		if o.Spec.Set.Timeout != nil && b.unlocked(o, "timeout") {
			e.Timeout = *o.Spec.Set.Timeout
			origins["timeout"] = b.clamp(e, o.Ref(), "spec.set.", "timeout", *o.Spec.Set.Timeout != 0)
		}
		if o.Spec.Set.MaxBodySize != nil && b.unlocked(o, "maxBodySize") {
			e.MaxBodySize = cmp.Or(*o.Spec.Set.MaxBodySize, DefaultMaxBodySize) // 0 is the default, as in a route: it must not pass a ceiling
			origins["maxBodySize"] = b.clamp(e, o.Ref(), "spec.set.", "maxBodySize", *o.Spec.Set.MaxBodySize != 0)
		}
		if o.Spec.Nginx != "" {
			e.Nginx = append(e.Nginx, NginxText{Override: o.Ref(), Text: o.Spec.Nginx})
			origins["nginx"] = o.Ref()
		}
	}
	for field, from := range origins {
		e.Origins = append(e.Origins, Origin{Field: field, From: from})
	}
	slices.SortFunc(e.Origins, func(x, y Origin) int { return cmp.Compare(x.Field, y.Field) })
	return e
}

// targets returns the usable targets of a route. A route that is left without one stays,
// and answers 503, so that its requests do not fall to a broader route.
func (b *builder) targets(r *Route, e *EffectiveRoute) []Target {
	out := []Target{}
	if e.AnswersItself() {
		if len(r.Spec.To) > 0 {
			b.report(Problem{Object: r.Ref(), Field: "spec.to", Code: "target_unused",
				Message: "A filter answers every request of this route, so nothing is sent to its upstreams: take out spec.to or the filter."})
		}
		return out
	}
	for i, t := range r.Spec.To {
		weight := 1
		if t.Weight != nil {
			weight = *t.Weight
		}
		key := UpstreamKey{r.Tenant, t.Upstream}
		switch {
		case weight < 0 || weight > maxWeight:
			b.report(Problem{Object: r.Ref(), Field: index("spec.to", i) + ".weight", Code: "weight_invalid",
				Message: fmt.Sprintf("Weight %d is outside 0 to %d, so this target is left out.", weight, maxWeight)})
		case b.upstream(key) == nil:
			b.report(Problem{Object: r.Ref(), Field: index("spec.to", i) + ".upstream", Code: "upstream_unknown",
				Message: fmt.Sprintf("Tenant %q has no upstream %q, so this target is left out: create the Upstream or correct the name.", r.Tenant, t.Upstream)})
		case weight > 0:
			out = append(out, Target{Upstream: key, Weight: weight})
		}
	}
	if len(r.Spec.To) == 0 && e.Redirect == nil {
		b.report(Problem{Object: r.Ref(), Field: "spec.to", Code: "target_missing",
			Message: "The route names no upstream, so its requests are answered 503: list at least one under spec.to."})
	}
	return out
}

// checkOverrides reports overrides that change nothing because their route does not exist.
func (b *builder) checkOverrides() {
	routes := map[UpstreamKey]bool{}
	for _, r := range b.in.Routes {
		routes[UpstreamKey{r.Tenant, r.Name}] = true
	}
	for _, o := range b.in.Overrides {
		if !routes[UpstreamKey{o.Tenant, o.Spec.Route}] {
			b.report(Problem{Object: o.Ref(), Field: "spec.route", Code: "route_unknown",
				Message: fmt.Sprintf("Tenant %q has no route %q, so this override changes nothing: correct the name or delete the override.", o.Tenant, o.Spec.Route)})
		}
	}
}

// index names an element of a list: "spec.hosts[1]".
func index(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

func quote(s string) string { return strconv.Quote(s) }

// sentence makes an error's text readable as a message of its own.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
