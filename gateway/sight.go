package gateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Sight is what one observer says about an endpoint.
type Sight struct {
	EndpointKey
	// Observer is empty in a notice, which names its own.
	Observer string      `json:"observer,omitempty"`
	State    HealthState `json:"state"`
	Since    time.Time   `json:"since,omitzero"`
	Until    time.Time   `json:"until,omitzero"`
	Rule     string      `json:"rule,omitempty"`
	Reason   string      `json:"reason,omitempty"`
}

// Bad says that the observer has taken the endpoint out of its rotation.
func (s *Sight) Bad() bool { return s.State == StateEjected || s.State == StateDown }

// ServiceSight is what one observer says about an upstream as a whole.
type ServiceSight struct {
	Upstream UpstreamKey `json:"upstream"`
	ServiceVerdict
}

// Notice is what an observer tells the others: which endpoints it finds bad, how it sees those
// that others find bad, and which upstreams are bad as a whole. About all others it says
// nothing, so that a notice is short while little is wrong.
type Notice struct {
	Observer string         `json:"observer"`
	Sights   []Sight        `json:"sights,omitempty"`
	Services []ServiceSight `json:"services,omitempty"`
	// Left is how many bad endpoints were left out because there are too many.
	Left int `json:"left,omitempty"`
}

// Scope says whose fault it is that somebody finds an endpoint bad.
type Scope string

// The scopes.
const (
	// ScopeNode: more than half of the observers who know the endpoint find it bad.
	ScopeNode Scope = "node_bad"
	// ScopePath: fewer do, so it is rather the way from these to the endpoint. Each of them
	// leaves it out, and nobody else does.
	ScopePath Scope = "path_bad"
	// ScopeService: more than half find it bad, and its upstream as a whole, too.
	ScopeService Scope = "service_bad"
)

// Standing is how the observers together see an endpoint that one of them at least finds bad.
type Standing struct {
	EndpointKey
	Scope Scope `json:"scope"`
	// Observers that live, and what they say: bad; well, which includes those that have not
	// spoken yet; or that they know nothing, which leaves them out of the majority.
	Observers int `json:"observers"`
	Bad       int `json:"bad"`
	Well      int `json:"well"`
	Unknown   int `json:"unknown"`
	// Sights are who sees what, by observer.
	Sights []Sight `json:"sights"`
}

// ServiceStanding is how the observers see an upstream that one of them finds bad as a whole.
type ServiceStanding struct {
	Upstream  UpstreamKey `json:"upstream"`
	Observers int         `json:"observers"`
	Bad       []string    `json:"bad"` // observers who say so
}

// Majority says that more than half of the observers find the upstream bad as a whole.
func (s *ServiceStanding) Majority() bool { return 2*len(s.Bad) > s.Observers }

// Agreement is what follows from the notices of all living observers. It is sorted.
type Agreement struct {
	Observers []string          `json:"observers"`
	Endpoints []Standing        `json:"endpoints"`
	Services  []ServiceStanding `json:"services"`
}

// Agree compares what the living observers say. It depends on nothing else, and not on the
// order of the notices.
func Agree(notices []Notice) Agreement {
	var a Agreement
	sights, services := map[EndpointKey][]Sight{}, map[UpstreamKey][]string{}
	for _, n := range notices {
		a.Observers = append(a.Observers, n.Observer)
		for _, s := range n.Sights {
			s.Observer = n.Observer
			sights[s.EndpointKey] = append(sights[s.EndpointKey], s)
		}
		for _, s := range n.Services {
			services[s.Upstream] = append(services[s.Upstream], n.Observer)
		}
	}
	slices.Sort(a.Observers)
	for k, bad := range services {
		slices.Sort(bad)
		a.Services = append(a.Services, ServiceStanding{Upstream: k, Observers: len(notices), Bad: bad})
	}
	slices.SortFunc(a.Services, func(x, y ServiceStanding) int { return x.Upstream.Compare(y.Upstream) })
	for k, of := range sights {
		service := a.Service(k.Upstream)
		if s := standing(k, of, len(notices), service != nil && service.Majority()); s.Bad > 0 {
			a.Endpoints = append(a.Endpoints, s)
		}
	}
	slices.SortFunc(a.Endpoints, func(x, y Standing) int { return x.Compare(y.EndpointKey) })
	return a
}

func standing(k EndpointKey, sights []Sight, observers int, serviceBad bool) Standing {
	s := Standing{EndpointKey: k, Scope: ScopePath, Observers: observers, Sights: sights}
	slices.SortFunc(s.Sights, func(x, y Sight) int { return cmp.Or(cmp.Compare(x.Observer, y.Observer), x.Since.Compare(y.Since)) })
	for i := range sights {
		switch {
		case sights[i].Bad():
			s.Bad++
		case sights[i].State == StateUnknown:
			s.Unknown++
		}
	}
	s.Well = observers - s.Bad - s.Unknown
	if s.Bad > s.Well {
		s.Scope = ScopeNode
		if serviceBad {
			s.Scope = ScopeService
		}
	}
	return s
}

// Compare orders keys by upstream and address.
func (k EndpointKey) Compare(o EndpointKey) int {
	return cmp.Or(k.Upstream.Compare(o.Upstream), cmp.Compare(k.Address, o.Address))
}

// Endpoint finds the standing of an endpoint, or returns nil: nobody finds it bad.
func (a *Agreement) Endpoint(k EndpointKey) *Standing {
	i, ok := slices.BinarySearchFunc(a.Endpoints, k, func(s Standing, k EndpointKey) int { return s.Compare(k) })
	if !ok {
		return nil
	}
	return &a.Endpoints[i]
}

// Service finds the standing of an upstream, or returns nil: nobody finds it bad as a whole.
func (a *Agreement) Service(k UpstreamKey) *ServiceStanding {
	i, ok := slices.BinarySearchFunc(a.Services, k, func(s ServiceStanding, k UpstreamKey) int { return s.Upstream.Compare(k) })
	if !ok {
		return nil
	}
	return &a.Services[i]
}

// Of are the standings of the endpoints of one upstream.
func (a *Agreement) Of(k UpstreamKey) []Standing {
	from, _ := slices.BinarySearchFunc(a.Endpoints, k, func(s Standing, k UpstreamKey) int { return s.Upstream.Compare(k) })
	to := from
	for to < len(a.Endpoints) && a.Endpoints[to].Upstream == k {
		to++
	}
	return a.Endpoints[from:to]
}

// Verdict is what follows for those who have no eyes of their own, such as a fleet. For a bad
// path it is that the endpoint is healthy. Its state is that of the first to find it bad.
func (s *Standing) Verdict() Verdict {
	var first *Sight
	var until time.Time
	var who []string
	for i := range s.Sights {
		sight := &s.Sights[i]
		if !sight.Bad() {
			continue
		}
		who = append(who, sight.Observer)
		if first == nil || sight.Since.Before(first.Since) {
			first = sight
		}
		if sight.Until.After(until) {
			until = sight.Until
		}
	}
	text := fmt.Sprintf("%d of %d observers (%s) find it bad: %s", s.Bad, s.Bad+s.Well, strings.Join(who, ", "), first.Reason)
	v := Verdict{EndpointKey: s.EndpointKey, State: first.State, Since: first.Since, Until: until, Rule: first.Rule, Reason: text}
	v.Evidence.Observer = "majority"
	if s.Scope == ScopePath {
		v.State, v.Rule, v.Until = StateHealthy, string(ScopePath), time.Time{}
	}
	return v
}
