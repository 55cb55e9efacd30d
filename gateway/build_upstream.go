package gateway

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// buildUpstream merges the endpoints of one upstream, fills in defaults and decides who is
// in rotation. It depends on nothing but its arguments, which is what makes
// ReplaceUpstreams possible. before is what was decided earlier, or nil: it is returned when
// it was decided from the same.
func buildUpstream(u *Upstream, sets []EndpointSet, verdicts []Verdict, before *EffectiveUpstream) *EffectiveUpstream {
	sets = wanted(u, sets)
	d := decisionOf(u, sets)
	if before != nil && before.decision == d && before.sees(verdicts) {
		return before
	}
	e := &EffectiveUpstream{Key: u.Key(), Discover: u.Spec.Discover, decision: d}
	c := &upstreamChecker{ref: u.Ref(), out: e}
	c.protocol(u.Spec)
	c.health(u.Spec.Health)
	c.timing(u.Spec)
	c.limits(u.Spec)
	c.endpoints(sets)
	e.digest = digestOf(e)
	e.judge(verdicts)
	slices.SortFunc(e.problems, Problem.Compare)
	return e
}

// wanted keeps the sets that the upstream asks for now, strongest source first, and by
// place within a source, in the order of the spec.
func wanted(u *Upstream, sets []EndpointSet) []EndpointSet {
	if len(u.Spec.Discover) == 0 && len(sets) == 1 && sets[0].SetKey == (SetKey{Upstream: u.Key(), Source: SourceManual}) {
		return sets // as most are
	}
	order := map[SetKey]int{{Upstream: u.Key(), Source: SourceManual}: 0}
	for i, d := range u.Spec.Discover {
		if k := d.SetKey(u.Key()); k.Source != "" {
			if _, ok := order[k]; !ok {
				order[k] = i + 1
			}
		}
	}
	var out []EndpointSet
	for _, s := range sets {
		if _, ok := order[s.SetKey]; ok {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(x, y EndpointSet) int {
		return cmp.Or(cmp.Compare(y.Source.rank(), x.Source.rank()), cmp.Compare(order[x.SetKey], order[y.SetKey]))
	})
	return out
}

// upstreamChecker fills in an effective upstream and notes what it can't use.
type upstreamChecker struct {
	ref Ref
	out *EffectiveUpstream
}

func (c *upstreamChecker) problem(field, code, format string, args ...any) {
	c.out.problems = append(c.out.problems, Problem{Object: c.ref, Field: field, Code: code, Source: "build",
		Message: fmt.Sprintf(format, args...)})
}

func (c *upstreamChecker) protocol(s UpstreamSpec) {
	c.out.Protocol = cmp.Or(s.Protocol, "http")
	if !slices.Contains(Protocols, c.out.Protocol) {
		c.problem("spec.protocol", "protocol_unknown", "Protocol %q is not known, so http is spoken: this version speaks %s.", s.Protocol, strings.Join(Protocols, ", "))
		c.out.Protocol = "http"
	}
	c.tls(s)
	c.out.Balance.Policy = cmp.Or(s.Balance.Policy, "round_robin")
	if c.out.Balance.Policy != "round_robin" {
		c.problem("spec.balance.policy", "policy_unknown", "Policy %q is not known, so round_robin is in force: this version has round_robin.", s.Balance.Policy)
		c.out.Balance.Policy = "round_robin"
	}
	c.out.Discover = nil
	for i, d := range s.Discover {
		if err := d.check(); err != nil {
			c.problem(index("spec.discover", i), "discover_invalid", "%s The entry is left out.", sentence(err))
			continue
		}
		c.out.Discover = append(c.out.Discover, d)
	}
}

func (c *upstreamChecker) health(h Health) {
	c.out.Health.NoPanic = h.NoPanic
	passive := PassiveCheck{}
	if h.Passive != nil {
		passive = *h.Passive
	}
	if !passive.Disabled {
		passive.ConsecutiveGatewayErrors = c.positive("spec.health.passive.consecutiveGatewayErrors", passive.ConsecutiveGatewayErrors, 5)
		passive.BaseEjection = cmp.Or(passive.BaseEjection, Duration(30*time.Second))
		passive.MaxEjectedPercent = min(100, c.positive("spec.health.passive.maxEjectedPercent", passive.MaxEjectedPercent, 30))
		c.out.Health.Passive = &passive
	}
	if h.Active == nil {
		return
	}
	a := *h.Active
	a.Type = cmp.Or(a.Type, "http")
	if a.Type != "http" && a.Type != "tcp" {
		c.problem("spec.health.active.type", "check_unknown", "Check type %q is not known, so endpoints are not probed: write http or tcp.", a.Type)
		return
	}
	if a.Type == "http" && (c.out.Protocol == "h2c" || c.out.Protocol == "h2") {
		c.problem("spec.health.active.type", "check_invalid", "Checks of type http speak HTTP/1.1, which endpoints of protocol %s do not, so they are checked by tcp: write type: tcp.", c.out.Protocol)
		a.Type = "tcp"
	}
	if a.Type == "http" {
		a.Path = cmp.Or(a.Path, "/")
		if !validProbePath(a.Path) {
			c.problem("spec.health.active.path", "check_invalid", "Path %q can't be sent, so endpoints are not probed: begin with a slash and leave out spaces and control characters.", a.Path)
			return
		}
		a.Expect = c.expect(a.Expect)
	}
	a.Interval = max(Duration(100*time.Millisecond), cmp.Or(a.Interval, Duration(5*time.Second)))
	a.Timeout = cmp.Or(a.Timeout, Duration(2*time.Second))
	a.Rise = c.positive("spec.health.active.rise", a.Rise, 2)
	a.Fall = c.positive("spec.health.active.fall", a.Fall, 3)
	c.out.Health.Active = &a
}

func validProbePath(p string) bool {
	return strings.HasPrefix(p, "/") && !strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// expect keeps the well-formed statuses and ranges; none of them means 200-399.
func (c *upstreamChecker) expect(list []string) []string {
	var out []string
	for i, s := range list {
		if _, _, err := StatusRange(s); err != nil {
			c.problem(index("spec.health.active.expect", i), "status_invalid", "%s", sentence(err))
			continue
		}
		out = append(out, s)
	}
	if out == nil {
		return []string{"200-399"}
	}
	return out
}

// StatusRange reads "200" or "200-399" as its first and last status.
func StatusRange(s string) (first, last int, err error) {
	a, b, ranged := strings.Cut(s, "-")
	first, err = strconv.Atoi(a)
	last = first
	if err == nil && ranged {
		last, err = strconv.Atoi(b)
	}
	if err != nil || first < 100 || last > 599 || first > last {
		return 0, 0, fmt.Errorf("%q is not a status or a range of statuses from 100 to 599, such as 200 or 200-399", s)
	}
	return first, last, nil
}

func (c *upstreamChecker) timing(s UpstreamSpec) {
	c.out.Timeouts = Timeouts{
		Connect:  cmp.Or(s.Timeouts.Connect, Duration(2*time.Second)),
		Response: cmp.Or(s.Timeouts.Response, Duration(60*time.Second)),
		Idle:     cmp.Or(s.Timeouts.Idle, Duration(30*time.Second)),
	}
	c.out.Drain.Timeout = cmp.Or(s.Drain.Timeout, Duration(5*time.Minute))
	c.out.Retry.Attempts = c.positive("spec.retry.attempts", s.Retry.Attempts, 2)
}

// positive takes the default for 0, and reports a negative number.
func (c *upstreamChecker) positive(field string, v, def int) int {
	if v < 0 {
		c.problem(field, "number_invalid", "%d is negative, so the default %d is in force.", v, def)
		return def
	}
	return cmp.Or(v, def)
}

// endpoints merges sets that stand strongest first: the first one that names an address
// decides its attributes, the others are listed as further sources.
func (c *upstreamChecker) endpoints(sets []EndpointSet) {
	at := map[string]int{}
	out := []Endpoint{}
	for _, s := range sets {
		for _, text := range s.Problems {
			c.out.problems = append(c.out.problems, Problem{Object: c.ref, Field: "spec.discover", Code: "source_entry",
				Message: text, Source: string(s.Source)})
		}
		for i, raw := range s.Endpoints {
			e, err := normalEndpoint(raw)
			if err != nil {
				c.endpointProblem(s, i, "address", Problem{Code: "address_invalid", Message: sentence(err)})
				continue
			}
			if e.Weight < 0 || e.Weight > maxWeight {
				c.endpointProblem(s, i, "weight", Problem{Code: "weight_invalid",
					Message: fmt.Sprintf("Endpoint %s has weight %d, which is outside 0 to %d, so it is left out.", e.Address, e.Weight, maxWeight)})
				continue
			}
			if j, ok := at[e.Address]; ok {
				if !slices.Contains(out[j].Sources, s.Source) {
					out[j].Sources = append(out[j].Sources, s.Source)
				}
				continue
			}
			at[e.Address] = len(out)
			e.Sources = []SourceKind{s.Source}
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(x, y Endpoint) int { return cmp.Compare(x.Address, y.Address) })
	c.out.Endpoints = out
}

func (c *upstreamChecker) endpointProblem(s EndpointSet, i int, field string, p Problem) {
	p.Object, p.Field, p.Source = c.ref, index("spec.endpoints", i)+"."+field, "build"
	if s.Source != SourceManual {
		p.Field, p.Source = "spec.discover", string(s.Source)
	}
	c.out.problems = append(c.out.problems, p)
}

func normalEndpoint(raw SourceEndpoint) (Endpoint, error) {
	addr, err := NormalAddress(raw.Address)
	if err != nil {
		return Endpoint{}, err
	}
	return Endpoint{Address: addr, Weight: raw.Weight, Priority: raw.Priority, Zone: raw.Zone, Terminating: raw.Terminating, Tags: raw.Tags}, nil
}

// NormalAddress checks an endpoint's address and returns its one canonical form.
func NormalAddress(s string) (string, error) {
	ap, err := netip.ParseAddrPort(s)
	switch {
	case err != nil:
		return "", fmt.Errorf("address %q is not IP:port: write 10.0.0.4:8080 or [2001:db8::4]:8080, names belong under spec.discover", s)
	case ap.Port() == 0:
		return "", fmt.Errorf("address %q has port 0", s)
	case ap.Addr().Unmap().IsUnspecified() || ap.Addr().IsMulticast():
		return "", fmt.Errorf("address %q can't be connected to", s)
	case ap.Addr().Zone() != "":
		return "", fmt.Errorf("address %q has a zone, which differs from node to node: use a routable address", s)
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()).String(), nil
}

// judge attaches verdicts and decides the rotation. Panic: when health would leave less
// than half of the usable endpoints, ejections are ignored, since serving some errors beats
// overloading the rest; when nothing at all would be left, failed probes are ignored too.
func (e *EffectiveUpstream) judge(verdicts []Verdict) {
	by := byAddress(verdicts)
	usable, healthy := 0, 0
	for i := range e.Endpoints {
		ep := &e.Endpoints[i]
		v := e.verdictOf(ep.Address, by)
		ep.Verdict = v
		if ep.usable() {
			usable++
			ep.InRotation = v.State != StateEjected && v.State != StateDown
			if ep.InRotation {
				healthy++
			}
		}
	}
	e.Panic = healthy*2 < usable && !e.Health.NoPanic
	if e.Panic {
		e.panic()
	}
	e.digestVerdicts(by)
}

func byAddress(verdicts []Verdict) map[string]Verdict {
	by := make(map[string]Verdict, len(verdicts))
	for _, v := range verdicts {
		by[v.Address] = v
	}
	return by
}

// verdictOf is the verdict on an address; unknown when there is none.
func (e *EffectiveUpstream) verdictOf(address string, by map[string]Verdict) Verdict {
	if v, ok := by[address]; ok {
		return v
	}
	return Verdict{EndpointKey: EndpointKey{Upstream: e.Key, Address: address}, State: StateUnknown}
}

func (e *EffectiveUpstream) panic() {
	any := false
	for i := range e.Endpoints {
		ep := &e.Endpoints[i]
		ep.InRotation = ep.usable() && ep.Verdict.State != StateDown
		any = any || ep.InRotation
	}
	for i := range e.Endpoints {
		if !any {
			e.Endpoints[i].InRotation = e.Endpoints[i].usable()
		}
	}
}

// usable endpoints may get new requests as far as their sources say.
func (ep *Endpoint) usable() bool { return ep.Weight > 0 && !ep.Terminating }

// digestVerdicts is zero while nothing is known, so that a fleet of fresh nodes agrees.
func (e *EffectiveUpstream) digestVerdicts(by map[string]Verdict) {
	type seen struct {
		Address string
		State   HealthState
	}
	var all []seen
	for _, ep := range e.Endpoints {
		if v, ok := by[ep.Address]; ok && v.State != StateUnknown {
			all = append(all, seen{ep.Address, v.State})
		}
	}
	if all != nil {
		e.verdictDigest = digestOf(all)
	}
}
