package main

import (
	"fmt"
	"net/netip"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// LimitsConfig bounds how long clients may take, on all listeners. Every key has a default
// that suits the open internet.
type LimitsConfig struct {
	// HeaderTimeout is the longest time from the first byte of a head, or of a PROXY header, to
	// the last. Default 10s.
	HeaderTimeout Duration `yaml:"headerTimeout"`
	// IdleTimeout is how long a connection may wait for its next request. Default 75s.
	IdleTimeout Duration `yaml:"idleTimeout"`
	// BodyTimeout is the longest silence within a request body. Default 60s.
	BodyTimeout Duration `yaml:"bodyTimeout"`
	// WriteTimeout is how long a client may take nothing of an answer. Default 60s.
	WriteTimeout Duration `yaml:"writeTimeout"`
	// MinBodyRate is the least average speed of a request body, in bytes a second. Default
	// 240; 0: any speed.
	MinBodyRate *gateway.Size `yaml:"minBodyRate"`
	// MinSendRate is the least average speed at which an answer is taken. Default 240; 0: any
	// speed.
	MinSendRate *gateway.Size `yaml:"minSendRate"`
	// RateGrace is how long a client may keep us waiting whatever its speed. Default 10s.
	RateGrace Duration `yaml:"rateGrace"`
}

// apply puts the limits into the proxy's configuration, whose zero values are the defaults.
func (l LimitsConfig) apply(c *proxy.Config) {
	c.HeaderTimeout, c.IdleTimeout = l.HeaderTimeout.Std(), l.IdleTimeout.Std()
	c.BodyTimeout, c.WriteTimeout = l.BodyTimeout.Std(), l.WriteTimeout.Std()
	c.MinBodyRate, c.MinSendRate, c.RateGrace = rate(l.MinBodyRate), rate(l.MinSendRate), l.RateGrace.Std()
}

func rate(s *gateway.Size) int64 {
	switch {
	case s == nil:
		return 0
	case *s == 0:
		return -1
	}
	return int64(*s)
}

// ListenerLimits bound what one listener takes.
type ListenerLimits struct {
	// MaxConnections is how many may be open; new ones then wait. Default 100000; 0: any number.
	MaxConnections *int `yaml:"maxConnections"`
	// MaxConnectionsPerClient is how many one address, or one IPv6 /64, may open. Default 0:
	// any number.
	MaxConnectionsPerClient int `yaml:"maxConnectionsPerClient"`
	// MaxHeaderBytes bounds a request head. Default and most 64k.
	MaxHeaderBytes gateway.Size `yaml:"maxHeaderBytes"`
}

// ProxyProtocolConfig says whose PROXY headers, version 1 and 2, are believed.
type ProxyProtocolConfig struct {
	// Trusted are networks whose connections have to begin with a header.
	Trusted []string `yaml:"trusted"`
}

const (
	leastHead = 1 << 10
	mostHead  = 64 << 10
)

// checkLimits calls bad for each mistake in the listener's limits, with the key below the listener.
func (l ListenerConfig) checkLimits(bad func(key, format string, args ...any)) {
	if n := l.Limits.MaxConnections; n != nil && *n < 0 {
		bad("limits.maxConnections", "%d is negative: write how many, or 0 for any number", *n)
	}
	if n := l.Limits.MaxConnectionsPerClient; n < 0 {
		bad("limits.maxConnectionsPerClient", "%d is negative: write how many, or 0 for any number", n)
	}
	if n := l.Limits.MaxHeaderBytes; n != 0 && (n < leastHead || n > mostHead) {
		bad("limits.maxHeaderBytes", "%s is outside 1k to 64k", n)
	}
	if l.ProxyProtocol == nil {
		return
	}
	if len(l.ProxyProtocol.Trusted) == 0 {
		bad("proxyProtocol.trusted", "name the networks of the load balancers that send the header, such as 10.0.0.0/8")
	}
	if _, err := prefixes(l.ProxyProtocol.Trusted); err != nil {
		bad("proxyProtocol.trusted", "%w", err)
	}
}

// proxyListener is the listener as the proxy takes it.
func (l ListenerConfig) proxyListener() (proxy.Listener, error) {
	out := proxy.Listener{Name: l.Name, MaxConnectionsPerClient: l.Limits.MaxConnectionsPerClient,
		Limits: http1.Limits{Head: int(l.Limits.MaxHeaderBytes)}}
	if n := l.Limits.MaxConnections; n != nil {
		if out.MaxConnections = *n; *n == 0 {
			out.MaxConnections = -1
		}
	}
	var err error
	if out.TrustedProxies, err = prefixes(l.TrustedProxies); err != nil {
		return out, fmt.Errorf("listener %s: trustedProxies: %w", l.Name, err)
	}
	var from []netip.Prefix
	if l.ProxyProtocol != nil {
		if from, err = prefixes(l.ProxyProtocol.Trusted); err != nil {
			return out, fmt.Errorf("listener %s: proxyProtocol: %w", l.Name, err)
		}
	}
	out.ProxyProtocol = from
	return out, nil
}
