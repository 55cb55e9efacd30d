package proxy

import "github.com/sluice-gateway/sluice/proxy/socket"

// linger says that the client may still be sending. The end of the connection then waits for
// it: a close with bytes unread would make the kernel reset the connection, and take the
// answer away that is on its way (RFC 9112 section 9.6).
func (c *conn) linger() { c.lingers = true }

// lingering is how fast the rest has to come: a client that sends a large body and looks for an answer
// only then, as most do that are no browsers, is given longer than one that just stays.
var lingering = socket.Pace{Rate: 16 << 10, Grace: 2e9}

// readRest reads what the client is still sending, for a while. The exchange is over and
// the memory for heads is given back, so that many clients that never close cost little.
func (c *conn) readRest() {
	const longest = int64(30e9)
	if c.in != nil {
		c.putInbound()
	}
	if c.s.CloseWrite() != nil {
		return
	}
	c.s.PaceReads(&lingering)
	end := socket.Now() + longest
	c.s.SetReadDeadline(end)
	var b []byte
	giveUp := func() {
		if b != nil {
			putBytes(b)
			b = nil
		}
	}
	defer giveUp()
	borrow := func() []byte {
		if b == nil {
			b = getBytes(sizeHead)
		}
		return b
	}
	for socket.Now() < end {
		if _, err := c.s.ReadInto(borrow, giveUp); err != nil || c.killed.Load() || c.p.closing.Load() {
			return
		}
	}
}
