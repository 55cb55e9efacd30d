package proxy

import "github.com/sluice-gateway/sluice/proxy/socket"

// linger says that the client may still be sending. The end of the connection then waits for
// it: a close with bytes unread would make the kernel reset the connection, and take the
// answer away that is on its way (RFC 9112 section 9.6).
func (c *conn) linger() { c.lingers = true }

// readRest reads what the client is still sending, for a while. The exchange is over and
// the memory for heads is given back, so that many clients that never close cost little.
func (c *conn) readRest() {
	const most, patience = 4 << 20, int64(2e9)
	if c.in != nil {
		c.putInbound()
	}
	if c.s.CloseWrite() != nil {
		return
	}
	c.s.SetReadDeadline(socket.Now() + patience)
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
	for got := 0; got < most; {
		n, err := c.s.ReadInto(borrow, giveUp)
		if err != nil || c.killed.Load() {
			return
		}
		got += n
	}
}
