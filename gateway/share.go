package gateway

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"reflect"
	"slices"
)

// share puts items of an earlier snapshot in the place of those that came out alike. Both
// lists are sorted by compare.
func share[T any](items, before []*T, compare func(a, b *T) int, alike func(a, b *T) bool) {
	for i, item := range items {
		for len(before) > 0 && compare(before[0], item) < 0 {
			before = before[1:]
		}
		if len(before) > 0 && compare(before[0], item) == 0 && alike(before[0], item) {
			items[i] = before[0]
		}
	}
}

func compareHosts(a, b *Host) int { return cmp.Compare(a.Name, b.Name) }

func compareCertificates(a, b *EffectiveCertificate) int { return a.Key.Compare(b.Key) }

// alike says whether h and o decide the same.
func (h *Host) alike(o *Host) bool {
	return h.Name == o.Name && h.Tenant == o.Tenant && slices.EqualFunc(h.Rules, o.Rules, func(x, y Rule) bool {
		return x.Path == y.Path && x.equal(&y.Conditions) && x.Route.alike(y.Route)
	})
}

func (e *EffectiveRoute) alike(o *EffectiveRoute) bool {
	return e.Tenant == o.Tenant && e.Name == o.Name && e.SingleLabel == o.SingleLabel && e.Timeout == o.Timeout && e.MaxBodySize == o.MaxBodySize &&
		slices.Equal(e.Targets, o.Targets) && slices.Equal(e.Nginx, o.Nginx) && slices.Equal(e.Origins, o.Origins) &&
		e.sameFilters(o)
}

// alike compares what the same pair is used for: it was parsed once for both.
func (e *EffectiveCertificate) alike(o *EffectiveCertificate) bool {
	return e.pair == o.pair && slices.Equal(e.Hosts, o.Hosts) && reflect.DeepEqual(e.ClientAuth, o.ClientAuth) &&
		slices.Equal(e.problems, o.problems) && slices.Equal(e.servesNobody, o.servesNobody)
}

// decision is what an upstream was decided from, besides verdicts, which its endpoints show.
type decision struct {
	from *Upstream // never changed: another spec is another object
	sets digest    // of those that it wants, of the pins, and of what is denied
}

func decisionOf(u *Upstream, wanted []EndpointSet, pins []*Pin, denied []netip.Prefix) decision {
	b := make([]byte, 0, 512)
	for i := range wanted {
		b = wanted[i].appendTo(b)
	}
	if len(pins) > 0 {
		d := digestOf(slices.SortedFunc(slices.Values(pins), func(x, y *Pin) int { return x.Ref().Compare(y.Ref()) }))
		b = append(b, d[:]...)
	}
	for _, n := range denied {
		b = n.AppendTo(append(b, ' '))
	}
	return decision{from: u, sets: sha256.Sum256(b)}
}

// appendTo appends everything that a set says. Lengths stand before texts and lists, so that
// different sets never read alike.
func (s *EndpointSet) appendTo(b []byte) []byte {
	number := func(n int) { b = binary.AppendVarint(b, int64(n)) }
	text := func(s string) {
		number(len(s))
		b = append(b, s...)
	}
	text(string(s.Source))
	text(s.Place)
	text(string(s.Absence))
	number(len(s.Problems))
	for _, p := range s.Problems {
		text(p)
	}
	number(len(s.Out))
	for _, address := range s.Out {
		text(address)
	}
	number(len(s.Endpoints))
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		text(e.Address)
		text(e.Zone)
		number(e.Weight)
		number(e.Priority)
		number(map[bool]int{true: 1}[e.Terminating])
		text(string(e.Tags))
		number(e.Fails.Max)
		number(int(e.Fails.Timeout))
	}
	return b
}

// sees says whether the endpoints of e show the given verdicts.
func (e *EffectiveUpstream) sees(verdicts []Verdict) bool {
	var by map[string]Verdict
	if len(verdicts) > 0 {
		by = byAddress(verdicts)
	}
	for i := range e.Endpoints {
		ep := &e.Endpoints[i]
		if v := e.verdictOf(ep, by); !ep.Verdict.alike(&v) {
			return false
		}
	}
	return true
}

func (v *Verdict) alike(o *Verdict) bool {
	return v.EndpointKey == o.EndpointKey && v.State == o.State && v.Since.Equal(o.Since) && v.Until.Equal(o.Until) &&
		v.Reason == o.Reason && v.Rule == o.Rule && v.Evidence.Observer == o.Evidence.Observer &&
		v.Evidence.Ejections == o.Evidence.Ejections && reflect.DeepEqual(v.Evidence.Counts, o.Evidence.Counts) && slices.Equal(v.Evidence.Samples, o.Evidence.Samples)
}
