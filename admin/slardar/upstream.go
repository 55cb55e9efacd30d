package slardar

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway"
)

// Revise is the upstream that a body of POST or PUT makes of the present one, which may be
// nil. It changes neither, is pure, and leaves it to whoever writes the object to judge it.
// Notes say what of the body does nothing here.
func Revise(now *gateway.Upstream, tenant, key string, body []byte) (next *gateway.Upstream, notes []string, err error) {
	return revise(now, tenant, key, objectName(key), body)
}

// revise is Revise for an object of that name.
func revise(now *gateway.Upstream, tenant, key, name string, body []byte) (next *gateway.Upstream, notes []string, err error) {
	u, err := read(body)
	if err != nil {
		return nil, nil, err
	}
	next = &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: tenant, Name: name, Labels: map[string]string{}}}
	if now == nil {
		next.Labels[LabelKey] = key
	} else {
		if next, err = copyOf(now); err != nil {
			return nil, nil, err
		}
		if is := keyOf(&now.Meta); is != key {
			return nil, nil, fmt.Errorf("the object %s is upstream %q: delete it, or choose another name", now.Ref(), is)
		}
	}
	if now == nil || u.whole {
		begin(&next.Spec)
	}
	notes, err = u.settings.apply(&next.Spec)
	if err != nil {
		return nil, nil, err
	}
	more := u.place(next)
	return next, append(append(u.notes, notes...), more...), nil
}

// copyOf is deep, so that nothing of what others hold is changed.
func copyOf(u *gateway.Upstream) (*gateway.Upstream, error) {
	b, err := json.Marshal(u)
	if err != nil {
		return nil, err
	}
	next := new(gateway.Upstream)
	if err := json.Unmarshal(b, next); err != nil {
		return nil, err
	}
	next.Labels = maps.Clone(u.Labels)
	if next.Labels == nil {
		next.Labels = map[string]string{}
	}
	return next, nil
}

// place makes the servers the endpoints of an upstream.
func (u *update) place(next *gateway.Upstream) (notes []string) {
	next.Spec.Endpoints = nil
	delete(next.Labels, LabelLevels)
	seen := map[string]bool{}
	for i, l := range u.levels {
		if l.name != "" {
			next.Labels[LabelLevels] = named
		}
		for _, s := range l.servers {
			address := net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port)))
			if seen[address] {
				notes = append(notes, address+": named twice, the first counts")
				continue
			}
			seen[address] = true
			next.Spec.Endpoints = append(next.Spec.Endpoints, gateway.ManualEndpoint{Address: address, Weight: s.Weight, Priority: i, Zone: l.name, Fails: s.limit()})
		}
	}
	u.settings.tries(&next.Spec)
	u.settings.count(&next.Spec)
	return notes
}
