package slardar

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// badGateway is the status that is a failure in any case, as it is for the requests of Slardar's
// edge.
const badGateway = "502"

// limit is max_fails and fail_timeout of a server, or nil when it has neither.
func (s *server) limit() *gateway.FailLimit {
	if s.MaxFails == nil && s.FailTimeout == nil {
		return nil
	}
	var l gateway.FailLimit
	if s.MaxFails != nil {
		l.Max = max(0, *s.MaxFails)
	}
	if s.FailTimeout != nil {
		l.Timeout = cmp.Or(gateway.Duration(*s.FailTimeout), gateway.Duration(time.Second))
	}
	return &l
}

// count says what counts as a failure of a server, once one has a limit: having no answer, 502,
// and the statuses that are blocked in the body, or in an earlier one.
func (s *settings) count(spec *gateway.UpstreamSpec) {
	limited := slices.ContainsFunc(spec.Endpoints, func(e gateway.ManualEndpoint) bool { return e.Fails != nil && e.Fails.Max > 0 })
	named := s.HTTPOpts != nil && s.HTTPOpts.Statuses != nil
	if !limited && spec.Health.Fails == nil {
		return
	}
	check := gateway.FailCheck{Statuses: []string{badGateway}}
	if spec.Health.Fails != nil {
		check = *spec.Health.Fails
	}
	switch a := spec.Health.Active; {
	case named:
		check.Statuses = []string{badGateway}
		for status, ok := range s.HTTPOpts.Statuses {
			if _, err := strconv.Atoi(status); err == nil && !ok {
				check.Statuses = append(check.Statuses, status)
			}
		}
	case spec.Health.Fails == nil && a != nil:
		check.Statuses = append(check.Statuses, a.ExpectNot...)
	}
	slices.Sort(check.Statuses)
	check.Statuses = slices.Compact(check.Statuses)
	spec.Health.Fails = &check
}

// tries carries try and try_timeout. A body that bounds the time and not the number of tries
// means all servers, as in Slardar's library.
func (s *settings) tries(spec *gateway.UpstreamSpec) {
	if s.Try != nil {
		spec.Retry.Attempts = *s.Try
	}
	if s.TryTimeout == nil {
		return
	}
	spec.Retry.Timeout = gateway.Duration(*s.TryTimeout)
	if s.Try == nil {
		spec.Retry.Attempts = max(1, len(spec.Endpoints))
	}
}
