package http2

import (
	"cmp"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// Open begins a stream with a request's head, built by AppendRequest and AppendField. bodiless is for
// HEAD: the answer tells the length of a body that does not come.
func (c *Conn) Open(block []byte, end, bodiless bool) (*Stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil || c.draining:
		return nil, ErrClosed
	case c.next > 1<<31-1: // all numbers are used up
		c.drain()
		return nil, ErrClosed
	case uint32(len(c.streams)) >= min(c.most, c.cfg.Streams):
		return nil, ErrBusy
	}
	st := newStream(c, c.next)
	st.bodiless = bodiless
	c.next += 2
	c.asks()
	c.streams[st.id] = st
	c.sendBlock(st.id, block, end)
	st.sendEnd = end
	return st, nil
}

// sendBlock appends a head. mu is held.
func (c *Conn) sendBlock(id uint32, block []byte, end bool) {
	if c.resized { // our table is empty: say so, RFC 7541 section 4.2
		c.resized = false
		block = append([]byte{0x20}, block...)
	}
	c.out = appendHead(c.ready(len(block)+64), id, block, c.frame, end)
	c.kick()
}

// SendHead sends an answer's head, interim or final, or with end and after a body the
// trailers. stall (nanoseconds) bounds how long the peer may take nothing.
func (st *Stream) SendHead(block []byte, end bool, stall int64) error {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := st.allowed(0, stall); err != nil {
		return err
	}
	c.sendBlock(st.id, block, end)
	if end {
		st.finishSending()
	}
	return nil
}

// PaceSends expects the peer to take what is sent on the stream at p (nil: any speed) from now on, in place of
// what Config.Sends says.
func (st *Stream) PaceSends(p *socket.Pace) {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.sends = socket.NewMeter(p)
}

// Send sends a piece of body, as the peer's windows allow. stall (nanoseconds) bounds each
// time that they allow nothing at all: socket.ErrTimeout, as for a peer that is slower than
// its pace.
func (st *Stream) Send(p []byte, end bool, stall int64) error {
	if len(p) == 0 && !end {
		return nil
	}
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := st.allowed(len(p), stall); err != nil {
			return err
		}
		n := int(min(int64(len(p)), st.window, c.window, int64(c.frame)))
		n = max(n, 0) // a window may be negative when there is nothing to send but the end
		last := n == len(p)
		if last || n >= worth {
			c.earn(n)
		}
		c.data(st, p[:n], end && last)
		if p = p[n:]; last {
			return nil
		}
	}
}

// allowed waits until there is room for a frame, and with size > 0 until the windows let
// bytes of body go; stall bounds only the time that the windows keep it waiting. Whether the
// socket takes anything is for write to judge, whose end of the connection ends this wait: it
// alone sees what the peer acknowledges of a queue that is still full. mu is held.
func (st *Stream) allowed(size int, stall int64) error {
	c, shut := st.c, int64(0)
	for {
		if err := st.failed(); err != nil {
			return err
		}
		if st.noMore {
			return ErrReset
		}
		full := len(c.out) >= maxOut
		if !full && (size == 0 || st.window > 0 && c.window > 0) {
			st.sends.End(0)
			return nil
		}
		now := socket.Now()
		st.sends.Begin(now)
		by := st.sends.Due()
		if full {
			shut = 0
		} else {
			shut = cmp.Or(shut, now)
			if by == 0 || shut+stall < by {
				by = shut + stall
			}
		}
		c.blocked++
		err := st.writer.wait(c, by)
		c.blocked--
		if err != nil {
			return err
		}
	}
}

// worth is from how many bytes on a DATA frame counts for something whose size the peer's windows
// or the peer itself chose. Floods are made of smaller ones (CVE-2019-9511).
const worth = 64

// earn notes what a peer may answer to n bytes of body: it may give back both windows at each
// read, and ask how long the way is, as gRPC does once in a round trip. mu is held.
func (c *Conn) earn(n int) { c.credit = min(c.credit+3+n/1024, 10_000) }

// earned says whether such a frame had been earned, and takes it off. mu is held.
func (c *Conn) earned() bool {
	c.credit--
	if c.credit < 0 {
		c.credit = 0
		return false
	}
	return true
}

// data appends a DATA frame. mu is held.
func (c *Conn) data(st *Stream, p []byte, end bool) {
	flags := flagsOf(end)
	c.out = append(appendHeader(c.ready(len(p)+16), len(p), 0, flags, st.id), p...)
	st.sends.End(len(p))
	st.window -= int64(len(p))
	c.window -= int64(len(p))
	if end {
		st.finishSending()
	}
	c.kick()
}

// finishSending notes that we have sent all. mu is held.
func (st *Stream) finishSending() {
	st.sendEnd = true
	if st.recvEnd { // closed, RFC 9113 section 5.1, though its goroutine may not have ended
		delete(st.c.streams, st.id)
	}
}

// stopSending ends the wait of who sends: the peer has answered and wants no more. mu is held.
func (st *Stream) stopSending() {
	st.noMore = true
	st.writer.signal()
}
