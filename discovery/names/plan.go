package names

import (
	"cmp"
	"slices"
	"time"
)

// Input is everything that Plan decides from.
type Input struct {
	Target   Target
	Grace    time.Duration
	Services map[string]Service // by the host that they have, as in [Assignment]
	// Complete says that every source of services has spoken and can be reached. While it is
	// false, a service that is missing may be there all the same.
	Complete bool
	Known    map[string]Record // by host
	Now      time.Time
}

// Step is one thing to do. With a Phase of Announced there is no call to make: only the
// record changes.
type Step struct{ Record }

// Plan decides what to announce and what to withdraw, sorted by host.
func Plan(in Input) []Step {
	var steps []Step
	for host, service := range in.Services {
		if r, ok := in.present(host, service); ok {
			steps = append(steps, Step{r})
		}
	}
	for host, known := range in.Known {
		if _, ok := in.Services[host]; ok {
			continue
		}
		if r, ok := in.missing(known); ok {
			steps = append(steps, Step{r})
		}
	}
	slices.SortFunc(steps, func(a, b Step) int { return cmp.Compare(a.Host, b.Host) })
	return steps
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
