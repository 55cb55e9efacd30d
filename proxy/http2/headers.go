package http2

import (
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// maxBlock bounds a header block as sent: no honest one is larger than what it decodes to.
const maxBlock = 128 << 10

func (c *Conn) takeHeaders(f *http2.HeadersFrame) error {
	if f.HasPriority() && f.Priority.StreamDep == f.StreamID {
		return faultf(Protocol, "a stream depends on itself")
	}
	if f.HeadersEnded() {
		return c.takeBlock(f.StreamID, f.HeaderBlockFragment(), f.StreamEnded())
	}
	c.blockOf, c.blockEnds = f.StreamID, f.StreamEnded()
	c.block = append(c.block[:0], f.HeaderBlockFragment()...)
	c.blockBy = socket.Now() + int64(c.cfg.Frame)
	return nil
}

func (c *Conn) takeContinuation(f *http2.ContinuationFrame) error {
	if c.block = append(c.block, f.HeaderBlockFragment()...); len(c.block) > maxBlock {
		return faultf(CalmDown, "a head of more than %d bytes", maxBlock)
	}
	c.mu.Lock()
	err := c.noteGlitch("CONTINUATION frames")
	c.mu.Unlock()
	if err != nil || !f.HeadersEnded() {
		return err
	}
	id := c.blockOf
	c.blockOf, c.blockBy = 0, 0
	err = c.takeBlock(id, c.block, c.blockEnds)
	c.block = nil
	return err
}

// takeBlock decodes a whole header block, which has to be done for every one of them: the
// table of the compression goes on.
func (c *Conn) takeBlock(id uint32, block []byte, ends bool) error {
	kind, text := requestBlock, []byte(nil)
	c.mu.Lock()
	st := c.streams[id] // it may end, and be another one, as soon as mu is free
	switch {
	case st != nil && st.headed:
		kind = trailerBlock
	case c.client:
		kind = answerBlock
	}
	c.mu.Unlock()
	var fresh *Stream
	switch kind {
	case requestBlock:
		fresh = newStream(c, id)
		if text = fresh.head[:0]; c.scratch != nil {
			text = c.scratch[:0]
		}
	case answerBlock:
		text = c.scratch[:0]
	}
	if c.dec == nil {
		c.head.conn = c
		c.dec = hpack.NewDecoder(4096, c.head.field)
		c.dec.SetMaxStringLength(maxBlock)
	}
	c.head.start(kind, text)
	_, err := c.dec.Write(block)
	if err == nil {
		err = c.dec.Close()
	}
	if err != nil {
		return faultf(compression, "the header block can not be decoded")
	}
	d := &c.head
	if !d.big {
		d.finish()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch kind {
	case requestBlock:
		c.keepText(fresh)
		return c.takeRequest(fresh, ends)
	case answerBlock:
		return c.takeAnswer(id, ends)
	}
	return c.takeTrailers(id, st, ends)
}

// keepText leaves the memory of a head that is too large for the next ones: a few bytes, sent
// again and again, can name all of it in the table (CVE-2016-6581).
func (c *Conn) keepText(st *Stream) {
	d := &c.head
	switch {
	case d.big:
		c.scratch, d.text = d.text[:0], nil
	case c.scratch != nil:
		d.text = append(st.head[:0], d.text...)
	}
}

// takeRequest opens a stream. mu is held.
func (c *Conn) takeRequest(st *Stream, ends bool) error {
	d := &c.head
	switch {
	case st.id%2 == 0:
		return faultf(Protocol, "a client's stream has an even number")
	case st.id <= c.last && ends && c.parted(st.id):
		return nil // trailers
	case st.id <= c.last:
		return c.misplaced(st.id, nil, 0)
	case c.finalStep:
		return c.noteGlitch("streams after the last GOAWAY") // the client knows that it was not served
	}
	c.last = st.id
	c.activeAt = socket.Now()
	st.begunAt = c.activeAt
	switch {
	case uint32(len(c.streams)) >= c.cfg.Streams, uint32(c.running) >= 2*c.cfg.Streams:
		// A client that has its answer, or gave one up, may have opened the next before our
		// goroutine has ended. Half of them may be behind like that.
		c.reset(st.id, Refused)
		return c.noteGlitch("streams beyond the limit")
	case d.bad != "":
		c.reset(st.id, Protocol)
		return c.noteGlitch("malformed requests")
	case d.big:
		st.TooLarge = true
		if d.size > 4*c.cfg.HeadBytes {
			return faultf(CalmDown, "a head of %d bytes", d.size)
		}
		if err := c.noteGlitch("heads that are too large"); err != nil {
			return err
		}
	}
	st.head, st.length, st.recvEnd, st.Ended, st.headed = d.text, d.length, ends, ends, true
	st.Tunnel = d.seen&pProtocol != 0
	if ends && st.length > 0 {
		c.reset(st.id, Protocol)
		return c.noteGlitch("malformed requests")
	}
	c.streams[st.id] = st
	c.running++
	c.spawn(st.runFn)
	return nil
}

// takeAnswer queues a head, interim or final, for the stream that waits for it. mu is held.
func (c *Conn) takeAnswer(id uint32, ends bool) error {
	d, st := &c.head, c.streams[id]
	if st == nil {
		c.scratch = modest(d.text)
		return c.misplaced(id, nil, 0)
	}
	interim := len(d.status) == 3 && d.status[0] == '1'
	if d.bad != "" || d.big || interim && ends || len(st.head)+len(d.text) > 4*c.cfg.HeadBytes {
		return http2.StreamError{StreamID: id, Code: Protocol}
	}
	st.head = append(st.head, d.text...)
	c.scratch = modest(d.text)
	if !interim {
		st.headed, st.length, st.Ended = true, d.length, ends
		if st.bodiless || d.status == "304" {
			st.length = 0 // an empty DATA frame may still end it
		}
	}
	if ends {
		st.finishReceiving()
	}
	st.reader.signal()
	return nil
}

// takeTrailers ends a stream's body. mu is held.
func (c *Conn) takeTrailers(id uint32, st *Stream, ends bool) error {
	d := &c.head
	if st != c.streams[id] || st.recvEnd { // it ended while the block was decoded
		return c.misplaced(id, c.streams[id], 0)
	}
	if d.bad != "" || d.big || !ends || st.length >= 0 && st.got != st.length {
		return http2.StreamError{StreamID: id, Code: Protocol}
	}
	st.trailers = d.text
	st.finishReceiving()
	st.reader.signal()
	return nil
}
