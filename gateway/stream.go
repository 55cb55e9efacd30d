package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stream is a TCP port whose connections go to an upstream, byte by byte: for what is not HTTP,
// such as databases.
type Stream struct {
	Meta `yaml:",inline"` // goccy/go-yaml does not inline by itself, as encoding/json does
	Spec StreamSpec       `json:"spec"`
}

// StreamSpec is what a person writes.
type StreamSpec struct {
	// Port that every edge listens on, within the ports of the tenant.
	Port int `json:"port"`
	// Upstream of the same tenant. Bytes are passed on as they are, whatever its protocol; its
	// balance, timeouts.connect, retry.attempts, limits, drain and proxyProtocol hold, and a hash
	// goes by the client's address.
	Upstream string `json:"upstream"`
	// IdleTimeout closes a connection on which nothing has passed for so long, either way.
	// Default 10m.
	IdleTimeout Duration `json:"idleTimeout,omitempty"`
	// MaxConnections that may be open at a time on one edge; further ones are closed at once.
	// Default 10000.
	MaxConnections int `json:"maxConnections,omitempty"`
}

// EffectiveStream is a stream that is served, with every default filled in.
type EffectiveStream struct {
	Port           int         `json:"port"`
	Name           string      `json:"name"`
	Upstream       UpstreamKey `json:"upstream"`
	IdleTimeout    Duration    `json:"idleTimeout"`
	MaxConnections int         `json:"maxConnections"`
}

// Ref names the object.
func (s *EffectiveStream) Ref() Ref {
	return Ref{Kind: KindStream, Tenant: s.Upstream.Tenant, Name: s.Name}
}

const (
	defaultStreamIdle        = Duration(10 * time.Minute)
	defaultStreamConnections = 10000
	mostPorts                = 1000 // of one claim
	lastPort                 = 1<<16 - 1
)

// PortRange reads "7000" or "7000-7099" as its first and last port.
func PortRange(s string) (first, last int, err error) {
	a, b, ranged := strings.Cut(s, "-")
	first, err = strconv.Atoi(a)
	last = first
	if err == nil && ranged {
		last, err = strconv.Atoi(b)
	}
	switch {
	case err != nil || first < 1 || last > lastPort || first > last:
		return 0, 0, fmt.Errorf("%q is not a port from 1 to %d, or a range of them, such as 7000 or 7000-7099", s, lastPort)
	case last-first >= mostPorts:
		return 0, 0, errors.New(strconv.Quote(s) + " has more than " + strconv.Itoa(mostPorts) + " ports")
	}
	return first, last, nil
}

// claimPorts settles who owns which port, oldest tenant first.
func (b *builder) claimPorts() map[int]string {
	owners := map[int]string{}
	for _, t := range b.in.Tenants {
		for i, text := range t.Spec.Ports {
			field := index("spec.ports", i)
			first, last, err := PortRange(text)
			if err != nil {
				b.report(Problem{Object: t.Ref(), Field: field, Code: "port_invalid", Message: sentence(err)})
				continue
			}
			told := false
			for port := first; port <= last; port++ {
				switch owner, taken := owners[port]; {
				case !taken:
					owners[port] = t.Name
				case owner != t.Name && !told:
					told = true
					b.report(Problem{Object: t.Ref(), Field: field, Code: "port_taken",
						Message: fmt.Sprintf("Port %d belongs to tenant %q, which claimed it first: take it out here, or there.", port, owner)})
				}
			}
		}
	}
	return owners
}

// buildStreams decides which streams are served. It runs after the upstreams are built.
func (b *builder) buildStreams() {
	owners := b.claimPorts()
	taken := map[int]*Stream{}
	for _, s := range slices.SortedFunc(slices.Values(b.in.Streams), func(x, y *Stream) int { return older(&x.Meta, &y.Meta) }) {
		if b.tenants[s.Tenant] == nil {
			b.reportOrphan(&s.Meta)
			continue
		}
		if p := b.streamProblem(s, owners, taken); p.Code != "" {
			p.Object = s.Ref()
			b.report(p)
			continue
		}
		taken[s.Spec.Port] = s
		b.streams = append(b.streams, EffectiveStream{Port: s.Spec.Port, Name: s.Name, Upstream: UpstreamKey{Tenant: s.Tenant, Name: s.Spec.Upstream},
			IdleTimeout: cmp.Or(s.Spec.IdleTimeout, defaultStreamIdle), MaxConnections: b.streamConnections(s)})
	}
	slices.SortFunc(b.streams, func(x, y EffectiveStream) int { return cmp.Compare(x.Port, y.Port) })
}

// streamProblem is what keeps a stream from being served; none has no code.
func (b *builder) streamProblem(s *Stream, owners map[int]string, taken map[int]*Stream) Problem {
	port := s.Spec.Port
	switch other := taken[port]; {
	case port < 1 || port > lastPort:
		return Problem{Field: "spec.port", Code: "port_invalid", Message: fmt.Sprintf("%d is not a port from 1 to %d.", port, lastPort)}
	case owners[port] != s.Tenant:
		return Problem{Field: "spec.port", Code: "port_unclaimed",
			Message: fmt.Sprintf("Tenant %q does not own port %d, so nothing listens there: an administrator adds it to spec.ports of the Tenant.", s.Tenant, port)}
	case other != nil:
		return Problem{Field: "spec.port", Code: "port_taken", Message: fmt.Sprintf("%s listens on port %d already: choose another one.", other.Ref(), port)}
	case b.upstream(UpstreamKey{Tenant: s.Tenant, Name: s.Spec.Upstream}) == nil:
		return Problem{Field: "spec.upstream", Code: "upstream_unknown",
			Message: fmt.Sprintf("Tenant %q has no upstream %q, so nothing listens on port %d: create it or correct the name.", s.Tenant, s.Spec.Upstream, port)}
	}
	return Problem{}
}

func (b *builder) streamConnections(s *Stream) int {
	if s.Spec.MaxConnections < 0 {
		b.report(Problem{Object: s.Ref(), Field: "spec.maxConnections", Code: "number_invalid",
			Message: fmt.Sprintf("%d is negative, so the default %d is in force.", s.Spec.MaxConnections, defaultStreamConnections)})
		return defaultStreamConnections
	}
	return cmp.Or(s.Spec.MaxConnections, defaultStreamConnections)
}
