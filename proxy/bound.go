package proxy

import (
	"slices"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// bound is the way to an endpoint that knows who is behind it: a client has signed on there by NTLM
// or Negotiate, which holds for all that comes over the same connection. So it serves that client's
// connection alone, and goes with it. For a client over HTTP/2, where that is not done, it serves one
// request.
type bound struct {
	ep    *endpoint
	conn  *socket.Conn
	until int64 // when it has waited too long
}

// bind keeps x's link for the client's next request.
func (x *exchange) bind(now int64) {
	x.c.unbind()
	wait := x.rot.idle
	if kept := keptFor(x.resp.Keeps); kept > 0 {
		wait = min(wait, kept)
	}
	x.c.bound = &bound{x.ep, x.link.conn, now + wait}
}

// unbind closes what was kept.
func (c *conn) unbind() {
	if c.bound != nil {
		_ = c.bound.conn.Close() // its failure has no one to tell
		c.bound = nil
	}
}

// takeBound takes the way to x.ep that is the client's own, if there is one that can be used.
func (x *exchange) takeBound() bool {
	b := x.c.bound
	if b == nil || b.ep != x.ep {
		return false
	}
	x.c.bound = nil
	if x.tryAt() >= b.until || !b.conn.Alive() || !x.rot.tls.secured(b.conn, b.ep) {
		_ = b.conn.Close()
		return false
	}
	x.link.conn, x.reused, x.personal, x.reason = b.conn, true, true, ""
	return true
}

// boundTo is the endpoint that knows the client, if it is in rotation for this request; else nil.
func (x *exchange) boundTo() *endpoint {
	b := x.c.bound
	if b == nil {
		return nil
	}
	for i := range x.rot.groups {
		if slices.Contains(x.rot.groups[i].endpoints, b.ep) {
			return b.ep
		}
	}
	return nil
}
