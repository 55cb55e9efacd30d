package names

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Input is everything that Plan decides from.
type Input struct {
	Rule     Rule
	Target   Target
	Grace    time.Duration
	Services []Service
	// Complete says that every source of services has spoken and can be reached. While it is
	// false, a service that is missing may be there all the same.
	Complete bool
	Known    map[string]Record // by host
	Now      time.Time
}

// Step is one thing to do. With a Phase of Announced there is no call to make: only the
// record changes.
type Step struct{ Record }

// Plan decides what to announce and what to withdraw, sorted by host. Services that can't
// have a name are problems.
func Plan(in Input) ([]Step, []gateway.Problem) {
	wanted, problems := in.wanted()
	var steps []Step
	for _, host := range slices.Sorted(maps.Keys(wanted)) {
		if r, ok := in.present(host, wanted[host]); ok {
			steps = append(steps, Step{r})
		}
	}
	for host, known := range in.Known {
		if _, ok := wanted[host]; ok {
			continue
		}
		if r, ok := in.missing(known); ok {
			steps = append(steps, Step{r})
		}
	}
	slices.SortFunc(steps, func(a, b Step) int { return cmp.Compare(a.Host, b.Host) })
	slices.SortFunc(problems, gateway.Problem.Compare)
	return steps, problems
}

// wanted gives each host to one service: the one that has it, or the first.
func (in Input) wanted() (map[string]Service, []gateway.Problem) {
	out := map[string]Service{}
	var problems []gateway.Problem
	problem := func(s Service, code, format string, args ...any) {
		problems = append(problems, gateway.Problem{Object: gateway.Ref{Kind: gateway.KindUpstream, Tenant: s.Tenant, Name: s.Upstream},
			Field: "spec.discover", Code: code, Source: "names", Message: fmt.Sprintf(format, args...)})
	}
	services := slices.SortedFunc(slices.Values(in.Services), Service.compare)
	for _, s := range services {
		host, err := in.Rule.Host(s)
		if err != nil {
			problem(s, "name_invalid", "Service %s/%s of cluster %s gets no name: %v.", s.Namespace, s.Service, s.Cluster, err)
			continue
		}
		has, taken := out[host]
		if known, ok := in.Known[host]; ok && known.Service.same(s) && taken && !has.same(s) {
			out[host], s, has = s, has, s
		}
		switch {
		case !taken:
			out[host] = s
		case !has.same(s):
			problem(s, "name_taken", "Service %s/%s of cluster %s gets no name: %s is that of service %s/%s of cluster %s. Put {{cluster}} or {{tenant}} into names.rule.",
				s.Namespace, s.Service, s.Cluster, host, has.Namespace, has.Service, has.Cluster)
		}
	}
	return out, problems
}

// present is the step for a host whose service is there.
func (in Input) present(host string, s Service) (Record, bool) {
	known, ok := in.Known[host]
	if !ok || known.Phase == Withdrawing || !known.Target.equal(in.Target) {
		return Record{Host: host, Service: s, Target: in.Target, Phase: Announcing, Since: in.Now}, true
	}
	changed := !known.Gone.IsZero() || known.Service != s
	known.Gone, known.Service = time.Time{}, s
	return known, changed || known.Phase == Announcing
}

// missing is the step for a host whose service is not there.
func (in Input) missing(known Record) (Record, bool) {
	switch {
	case known.Phase == Withdrawing:
		return known, true
	case !in.Complete:
		return known, false
	case known.Phase == Announcing: // nobody relies on a name that may never have been there
	case known.Gone.IsZero():
		known.Gone = in.Now
		if in.Grace > 0 {
			return known, true
		}
	case in.Now.Sub(known.Gone) < in.Grace:
		return known, false
	}
	known.Phase, known.Since = Withdrawing, in.Now
	return known, true
}
