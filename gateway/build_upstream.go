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
func buildUpstream(u *Upstream, sets []EndpointSet, pins []*Pin, verdicts []Verdict, denied []netip.Prefix, before *EffectiveUpstream) *EffectiveUpstream {
	traits := traitsOf(u)
	sets = wanted(u, sets, traits)
	d := decisionOf(u, sets, pins, denied)
	if before != nil && before.decision == d && before.sees(verdicts) {
		return before
	}
	e := &EffectiveUpstream{Key: u.Key(), decision: d}
	c := &upstreamChecker{ref: u.Ref(), out: e, denied: denied}
	c.protocol(u.Spec)
	c.health(u.Spec.Health)
	c.timing(u.Spec)
	c.limits(u.Spec)
	c.places(u.Spec.Discover, traits)
	c.endpoints(sets, traits, c.dividing(u, traits))
	c.fails(u.Spec.Health.Fails)
	c.pin(pins)
	e.digest = digestOf(e)
	e.judge(verdicts)
	slices.SortFunc(e.problems, Problem.Compare)
	return e
}

// upstreamChecker fills in an effective upstream and notes what it can't use.
type upstreamChecker struct {
	ref    Ref
	out    *EffectiveUpstream
	denied []netip.Prefix
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
	c.balance(s.Balance)
}

// usualPassive are the defaults. Nobody changes them.
var usualPassive = PassiveCheck{ConsecutiveGatewayErrors: 5, BaseEjection: Duration(30 * time.Second), MaxEjectedPercent: 30, Window: Duration(30 * time.Second),
	MinRequests: 20, MaxErrorRatio: 0.5, SlowMinRequests: 50, SlowMaxErrorRatio: 0.2}

func (c *upstreamChecker) health(h Health) {
	c.out.Health.NoPanic = h.NoPanic
	c.panicPercent(h.PanicPercent)
	passive := PassiveCheck{}
	if h.Passive != nil {
		passive = *h.Passive
	}
	if !passive.Disabled {
		passive.ConsecutiveGatewayErrors = c.positive("spec.health.passive.consecutiveGatewayErrors", passive.ConsecutiveGatewayErrors, 5)
		passive.BaseEjection = cmp.Or(passive.BaseEjection, Duration(30*time.Second))
		passive.MaxEjectedPercent = min(100, c.positive("spec.health.passive.maxEjectedPercent", passive.MaxEjectedPercent, 30))
		passive.Window = min(Duration(5*time.Minute), max(Duration(10*time.Second), cmp.Or(passive.Window, Duration(30*time.Second))))
		passive.MinRequests = c.positive("spec.health.passive.minRequests", passive.MinRequests, 20)
		passive.MaxErrorRatio = c.ratio("spec.health.passive.maxErrorRatio", passive.MaxErrorRatio, 0.5)
		passive.SlowMinRequests = c.positive("spec.health.passive.slowMinRequests", passive.SlowMinRequests, 50)
		passive.SlowMaxErrorRatio = c.ratio("spec.health.passive.slowMaxErrorRatio", passive.SlowMaxErrorRatio, 0.2)
		if r := passive.MaxLatencyRatio; r != 0 && !(r >= 1.5) {
			c.problem("spec.health.passive.maxLatencyRatio", "number_invalid", "%v is below 1.5, which equals differ by, so latency is not judged: write 4, for example, or leave it out.", r)
			passive.MaxLatencyRatio = 0
		}
		c.out.Health.Passive = &passive
		if passive == usualPassive {
			c.out.Health.Passive = &usualPassive // thousands of upstreams have the same
		}
	}
	c.active(h.Active)
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
	c.out.SlowStart = Duration(30 * time.Second)
	if s.SlowStart != nil {
		c.out.SlowStart = *s.SlowStart
	}
	c.out.Retry.Attempts = c.positive("spec.retry.attempts", s.Retry.Attempts, 2)
}

// ratio takes the default for 0, and reports what is no share.
func (c *upstreamChecker) ratio(field string, v, def float64) float64 {
	if !(v >= 0 && v <= 1) {
		c.problem(field, "number_invalid", "%v is not a share from 0 to 1, so the default %v is in force.", v, def)
		return def
	}
	return cmp.Or(v, def)
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
// decides its attributes, the others are listed as further sources. With divide each place
// gets the share that its weight declares.
func (c *upstreamChecker) endpoints(sets []EndpointSet, traits map[SetKey]trait, divide bool) {
	at := map[string]int{}
	out := []Endpoint{}
	var places []int // that decided, for each of out
	for place, s := range sets {
		for _, text := range s.Problems {
			c.out.problems = append(c.out.problems, Problem{Object: c.ref, Field: "spec.discover", Code: "source_entry",
				Message: text, Source: string(s.Source)})
		}
		for i, raw := range s.Endpoints {
			e, ok := c.endpoint(s, i, raw)
			if !ok {
				continue
			}
			if j, ok := at[e.Address]; ok {
				if !slices.Contains(out[j].Sources, s.Source) {
					out[j].Sources = append(out[j].Sources, s.Source)
				}
				continue
			}
			at[e.Address] = len(out)
			e.Sources, e.Place = []SourceKind{s.Source}, s.Place
			t := traits[s.SetKey]
			if t.priority != nil {
				e.Priority = *t.priority
			}
			out = append(out, e)
			places = append(places, place)
		}
	}
	if divide {
		shares, members := make([]int, len(sets)), make([]member, len(out))
		for i, s := range sets {
			if w := traits[s.SetKey].weight; w != nil { // nil: by hand, and there are none
				shares[i] = *w
			}
		}
		for i := range out {
			members[i] = member{&out[i], places[i]}
		}
		divideRequests(members, shares)
	}
	slices.SortFunc(out, func(x, y Endpoint) int { return cmp.Compare(x.Address, y.Address) })
	c.out.Endpoints = out
}

// endpoint checks what a source says of an endpoint, the i-th of a set.
func (c *upstreamChecker) endpoint(s EndpointSet, i int, raw SourceEndpoint) (e Endpoint, ok bool) {
	e, err := normalEndpoint(raw)
	if err != nil {
		c.endpointProblem(s, i, "address", Problem{Code: "address_invalid", Message: sentence(err)})
		return e, false
	}
	if ap, err := netip.ParseAddrPort(e.Address); err == nil {
		if by, denied := deniedBy(c.denied, ap.Addr()); denied {
			c.endpointProblem(s, i, "address", Problem{Code: "address_denied",
				Message: fmt.Sprintf("Endpoint %s is inside %s, which is denied, so it is left out: name another address, or ask an administrator to change a Policy's endpoints.", e.Address, by)})
			return e, false
		}
	}
	if e.Weight < 0 || e.Weight > maxWeight {
		c.endpointProblem(s, i, "weight", Problem{Code: "weight_invalid",
			Message: fmt.Sprintf("Endpoint %s has weight %d, which is outside 0 to %d, so it is left out.", e.Address, e.Weight, maxWeight)})
		return e, false
	}
	return e, true
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
	return Endpoint{Address: addr, Weight: raw.Weight, Priority: raw.Priority, Zone: raw.Zone, Terminating: raw.Terminating, Fails: raw.Fails, Tags: raw.Tags}, nil
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

// judge attaches verdicts and decides the rotation. Panic: when health would leave too few,
// by default less than half of the usable endpoints, ejections are ignored, since serving some errors beats
// overloading the rest; when nothing at all would be left, failed probes are ignored too.
func (e *EffectiveUpstream) judge(verdicts []Verdict) {
	by := byAddress(verdicts)
	usable, healthy := 0, 0
	for i := range e.Endpoints {
		ep := &e.Endpoints[i]
		v := e.verdictOf(ep, by)
		ep.Verdict = v
		if ep.usable() {
			usable++
			ep.InRotation = v.State != StateEjected && v.State != StateDown
			if ep.InRotation {
				healthy++
			}
		}
	}
	e.Panic = e.Health.panics(healthy, usable)
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

// verdictOf is the verdict on an endpoint: what a person says, else what health says, else the
// check's initial state. Health follows what people say, but later and on its own node.
func (e *EffectiveUpstream) verdictOf(ep *Endpoint, by map[string]Verdict) Verdict {
	key := EndpointKey{Upstream: e.Key, Address: ep.Address}
	v, ok := by[ep.Address]
	switch {
	case ep.Pin != nil:
		return ep.Pin.Verdict(key, v.Evidence)
	case ok && v.Rule != RuleByHand: // else it is about a pin that is gone
		return v
	}
	return e.Health.Active.initial(key)
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

// usable endpoints may get new requests as far as their sources, and people, say.
func (ep *Endpoint) usable() bool { return ep.Weight > 0 && !ep.Terminating && !ep.Pin.Out() }

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
