package slardar

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Revise is the upstream that a body of POST or PUT makes of the present one, which may be
// nil. It changes neither, is pure, and leaves it to whoever writes the object to judge it.
// Notes say what of the body does nothing here.
func Revise(now *gateway.Upstream, tenant, key string, body []byte) (next *gateway.Upstream, notes []string, err error) {
	u, err := read(body)
	if err != nil {
		return nil, nil, err
	}
	next = &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: tenant, Name: objectName(key), Labels: map[string]string{}}}
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
	var all []server
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
			all = append(all, s)
			next.Spec.Endpoints = append(next.Spec.Endpoints, gateway.ManualEndpoint{Address: address, Weight: s.Weight, Priority: i, Zone: l.name})
		}
	}
	return append(notes, fails(&next.Spec, all)...)
}

// fails carries max_fails and fail_timeout into the passive check, which is one for the whole
// upstream: the strictest server decides. A body without any leaves the check as it is.
func fails(spec *gateway.UpstreamSpec, servers []server) (notes []string) {
	var strictest *server
	given, differ := false, false
	for i := range servers {
		s := &servers[i]
		differ = differ || allowed(s) != allowed(&servers[0]) || outage(s) != outage(&servers[0])
		given = given || s.MaxFails != nil
		if allowed(s) > 0 && (strictest == nil || allowed(s) < allowed(strictest)) {
			strictest = s
		}
	}
	if !given {
		return nil
	}
	if strictest == nil {
		spec.Health.Passive = &gateway.PassiveCheck{Disabled: true}
		return nil
	}
	p := gateway.PassiveCheck{}
	if spec.Health.Passive != nil {
		p = *spec.Health.Passive
	}
	p.Disabled = false
	p.ConsecutiveGatewayErrors, p.BaseEjection, p.MaxEjectedPercent = allowed(strictest), outage(strictest), 100
	// Answers of 500 do not count there, so shares of errors are left out as far as they can be.
	p.MaxErrorRatio, p.SlowMaxErrorRatio = 1, 1
	spec.Health.Passive = &p
	if differ {
		notes = append(notes, fmt.Sprintf("max_fails, fail_timeout: all servers share those of the strictest, %d and %v", allowed(strictest), time.Duration(outage(strictest))))
	}
	return notes
}

// allowed is max_fails with its default.
func allowed(s *server) int {
	if s.MaxFails == nil {
		return 0
	}
	return max(0, *s.MaxFails)
}

// outage is fail_timeout with its default.
func outage(s *server) gateway.Duration {
	if s.FailTimeout == nil {
		return gateway.Duration(10 * time.Second)
	}
	return cmp.Or(gateway.Duration(*s.FailTimeout), gateway.Duration(time.Second))
}
