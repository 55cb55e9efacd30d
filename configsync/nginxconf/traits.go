package nginxconf

import (
	"cmp"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// traits are all that a location says because of an upstream that it sends requests to. They
// stay the same while endpoints come and go, so that a location is rarely written again.
type traits struct {
	usable            bool // an endpoint is in rotation
	connect, response gateway.Duration
	attempts          int
	retryOn           string // reasons, with spaces between
}

func traitsOf(u *gateway.EffectiveUpstream) traits {
	return traits{
		usable:   usable(u),
		connect:  cmp.Or(u.Timeouts.Connect, defaultConnect),
		response: cmp.Or(u.Timeouts.Response, defaultResponse),
		attempts: cmp.Or(u.Retry.Attempts, 2),
		retryOn:  strings.Join(u.Retry.On, " "),
	}
}

// usable says whether requests for the upstream have somewhere to go.
func usable(u *gateway.EffectiveUpstream) bool {
	if u.TLS != nil || u.Protocol == "h2c" || u.ProxyProtocol != "" {
		return false
	}
	for _, e := range u.Endpoints {
		if e.InRotation && isAddress(e.Address) {
			return true
		}
	}
	return false
}
