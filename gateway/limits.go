package gateway

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// UpstreamLimits bound what one proxy sends to an upstream at a time. They hold for all its
// endpoints together and for each edge by itself.
type UpstreamLimits struct {
	// MaxConnections is how many exchanges may be under way. Over HTTP/1.1 each takes a
	// connection. Default 0: any number.
	MaxConnections int `json:"maxConnections,omitempty"`
	// MaxPending is how many further requests wait for their turn, first come, first served;
	// what comes on top is answered 503 with Retry-After. Default 1024; 0: none waits.
	MaxPending *int `json:"maxPending,omitempty"`
	// QueueTimeout is how long a request waits before it is answered 503. Default 2s: a client
	// that has waited for longer has often left, or tries again beside its first request.
	QueueTimeout Duration `json:"queueTimeout,omitempty"`
}

// The reasons for trying a request again on another endpoint. All but RetryConnect hold for
// requests that are idempotent (RFC 9110 section 9.2.2), whose body is at hand, and of whose
// answer the client has got nothing.
const (
	RetryConnect = "connect-failure" // no connection: nothing was sent, so any request may go elsewhere
	RetryReset   = "reset"           // closed before the head of the answer
	RetryTimeout = "timeout"         // no head within timeouts.response
	RetryGateway = "gateway-error"   // short for the next three
	Retry502     = "502"
	Retry503     = "503"
	Retry504     = "504"
)

var retryReasons = []string{RetryConnect, RetryReset, RetryTimeout, RetryGateway, Retry502, Retry503, Retry504}

// DefaultRetryBudget is the percentage of requests that may be retries.
const DefaultRetryBudget = 20

// proxyProtocols are what Upstream.ProxyProtocol may be.
var proxyProtocols = []string{"", "v1", "v2"}

const (
	defaultMaxPending   = 1024
	defaultQueueTimeout = Duration(2 * time.Second)
)

// limits fills in the limits, the reasons for retries and the PROXY protocol.
func (c *upstreamChecker) limits(s UpstreamSpec) {
	c.pending(s.Limits)
	c.retry(s.Retry)
	c.out.ProxyProtocol = s.ProxyProtocol
	if !slices.Contains(proxyProtocols, s.ProxyProtocol) {
		c.problem("spec.proxyProtocol", "proxy_protocol_unknown", "PROXY protocol %q is not known, so none is sent: write v1 or v2, or leave it out.", s.ProxyProtocol)
		c.out.ProxyProtocol = ""
	}
	if c.out.ProxyProtocol != "" && c.out.Protocol != "http" && c.out.Protocol != "https" {
		c.problem("spec.proxyProtocol", "proxy_protocol_shared", "Connections that speak %s are shared by clients, and a PROXY header names one, so none is sent: speak http or https.", c.out.Protocol)
		c.out.ProxyProtocol = ""
	}
}

func (c *upstreamChecker) pending(l UpstreamLimits) {
	most := c.positive("spec.limits.maxConnections", l.MaxConnections, 0)
	if most == 0 {
		if l.MaxPending != nil || l.QueueTimeout != 0 {
			c.problem("spec.limits.maxConnections", "limit_missing", "Without maxConnections nothing waits, so maxPending and queueTimeout change nothing: set it, or take them out.")
		}
		return
	}
	pending := defaultMaxPending
	if l.MaxPending != nil {
		if pending = *l.MaxPending; pending < 0 {
			pending = c.positive("spec.limits.maxPending", pending, defaultMaxPending)
		}
	}
	c.out.Limits = UpstreamLimits{MaxConnections: most, MaxPending: &pending, QueueTimeout: cmp.Or(l.QueueTimeout, defaultQueueTimeout)}
}

func (c *upstreamChecker) retry(r Retry) {
	c.out.Retry.On = nil
	for i, reason := range r.On {
		switch {
		case !slices.Contains(retryReasons, reason):
			c.problem(index("spec.retry.on", i), "retry_unknown", "%q is no reason for a retry, so it is left out: write one of %s.", reason, strings.Join(retryReasons, ", "))
		case !slices.Contains(c.out.Retry.On, reason):
			c.out.Retry.On = append(c.out.Retry.On, reason)
		}
	}
	if c.out.Retry.On == nil {
		c.out.Retry.On = []string{RetryConnect}
	}
	slices.Sort(c.out.Retry.On)
	budget := DefaultRetryBudget
	if r.BudgetPercent != nil {
		if budget = *r.BudgetPercent; budget < 0 || budget > 100 {
			c.problem("spec.retry.budgetPercent", "number_invalid", "%d is outside 0 to 100, so the default %d is in force.", budget, DefaultRetryBudget)
			budget = DefaultRetryBudget
		}
	}
	c.out.Retry.BudgetPercent, c.out.Retry.Timeout = &budget, r.Timeout
}
