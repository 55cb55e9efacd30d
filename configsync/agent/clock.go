package agent

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// clock is the node's clock, compared with the control plane's. Nothing is decided by the
// difference: waits go by the time that passes, and the control plane stamps reports itself.
// People who read the node's logs and files beside its reports should know of it.
type clock struct {
	now func() time.Time
	off atomic.Int64
}

// leastOff is what the network and the header's whole seconds may account for.
const leastOff = 5 * time.Second

// watch makes an HTTP client compare clocks with each answer.
func (c *clock) watch(client *http.Client) *http.Client {
	copied := *client
	next := copied.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	copied.Transport = watched{next: next, clock: c}
	return &copied
}

type watched struct {
	next  http.RoundTripper
	clock *clock
}

// RoundTrip is that of the transport underneath.
func (w watched) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(req)
	if err == nil {
		w.clock.compare(res.Header.Get("Date"))
	}
	return res, err
}

// compare takes in an RFC 9110 section 6.6.1 Date header. A difference that moves by no more
// than leastOff is the same one, so that reports do not change with every answer.
func (c *clock) compare(date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	off := c.now().Sub(at).Round(time.Second)
	if off.Abs() < leastOff {
		off = 0
	}
	if before := time.Duration(c.off.Load()); off == 0 || (off-before).Abs() >= leastOff {
		c.off.Store(int64(off))
	}
}

func (c *clock) ahead() gateway.Duration { return gateway.Duration(c.off.Load()) }
