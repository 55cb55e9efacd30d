package proxy

import (
	"errors"
	"io"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// tunnel passes on the 101 that the client asked for and then two streams of bytes, those
// that came behind the heads included. A snapshot swap does not touch them.
func (x *exchange) tunnel() bool {
	c, w := x.c, &x.toClient
	w.out = x.responseHead(w.out[:0])
	w.out = append(w.out, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"...)
	w.out = append(w.out, x.up.b[x.resp.Size:x.up.n]...)
	x.status = 101
	x.report("")
	err := w.flush()
	if early := c.in.buf.b[x.req().Size:c.in.buf.n]; err == nil && len(early) > 0 {
		_, err = x.uc.Write(early)
	}
	if err == nil {
		x.relayBoth()
	}
	_ = x.uc.Close()
	x.ep.inFlight.Add(-1)
	x.account(socket.Now())
	return false
}

// relayBoth copies both ways until both ends are done or one failed.
func (x *exchange) relayBoth() {
	c, uc := x.c.s, x.uc
	c.PaceWrites(socket.Pace{})
	x.up.release() // a silent tunnel holds no buffer
	c.SetReadDeadline(0)
	uc.SetReadDeadline(0)
	stall := x.c.p.times.write
	up := make(chan struct{})
	go func() {
		defer close(up)
		defer func() {
			if x.c.survived(recover()) {
				uc.Interrupt()
			}
		}()
		if _, err := relay(uc, c, stall); err != nil {
			uc.Interrupt()
		}
	}()
	n, err := relay(c, uc, stall)
	x.toClient.sent = n
	if err != nil {
		c.Interrupt()
	}
	<-up
}

// relay copies src to dst until src ends, and then tells dst so. It borrows a buffer only
// while there is something to copy.
func relay(dst, src *socket.Conn, stall int64) (total int64, err error) {
	var b []byte
	borrow := func() []byte {
		if b == nil {
			b = getBytes(sizeSmall)
		}
		return b
	}
	giveUp := func() {
		if b != nil {
			putBytes(b)
			b = nil
		}
	}
	defer giveUp()
	for {
		n, err := src.ReadInto(borrow, giveUp)
		if err == nil {
			dst.SetWriteDeadline(socket.Now() + stall)
			_, err = dst.Write(b[:n])
			total += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return total, dst.CloseWrite()
		}
		if err != nil {
			return total, err
		}
	}
}
