package http2

import (
	"errors"
	"io"
	"sync"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// readSize is how much is asked of the connection at a time.
const readSize = 16 << 10

// reading is the memory of a connection that is being read: idle ones have none.
type reading struct {
	input
	framer *http2.Framer
}

// input gives the Framer the connection's bytes.
type input struct {
	c    *Conn
	buf  []byte
	r, n int
	lost bool  // the connection has ended or failed
	by   int64 // when the frame, or the head of several frames, must be complete; 0: not set yet
}

var readings = sync.Pool{New: func() any {
	rd := &reading{input: input{buf: make([]byte, readSize)}}
	rd.framer = http2.NewFramer(io.Discard, &rd.input)
	rd.framer.SetReuseFrames()
	rd.framer.SetMaxReadFrameSize(16384)
	return rd
}}

func newReading(c *Conn) *reading {
	rd := readings.Get().(*reading)
	rd.c, rd.r, rd.n, rd.by, rd.lost = c, 0, 0, 0, false
	return rd
}

// release gives the memory back. The Framer must be between two heads: it remembers the
// stream of one that is open.
func (rd *reading) release() {
	if rd.c.blockOf != 0 {
		return // for the collector
	}
	rd.c = nil
	readings.Put(rd)
}

func (in *input) left() int { return in.n - in.r }

// whole says whether the next frame has come to its end.
func (in *input) whole() bool {
	const header = 9 // RFC 9113 section 4.1: the payload's length comes first
	b := in.buf[in.r:in.n]
	return len(b) >= header && len(b)-header >= int(b[0])<<16|int(b[1])<<8|int(b[2])
}

// Read implements io.Reader for the Framer.
func (in *input) Read(p []byte) (int, error) {
	if in.r == in.n {
		if err := in.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buf[in.r:in.n])
	in.r += n
	return n, nil
}

// more reads what comes next, after what came has been used up.
func (in *input) more() error {
	in.r, in.n = 0, 0
	if len(in.c.first) > 0 {
		in.n = copy(in.buf, in.c.first)
		in.c.first = in.c.first[in.n:]
		return nil
	}
	if in.by == 0 {
		in.by = socket.Now() + int64(in.c.cfg.Frame)
	}
	in.c.s.SetReadDeadline(in.by)
	n, err := in.c.s.Read(in.buf)
	in.lost = err != nil
	switch {
	case errors.Is(err, socket.ErrInterrupted):
		err = ErrClosed
	case errors.Is(err, socket.ErrTimeout):
		err = faultf(CalmDown, "a frame took too long")
	}
	if in.n = n; n > 0 {
		in.c.heardAt.Store(socket.Now())
	}
	return err
}

func (c *Conn) borrow() []byte {
	if c.rd == nil {
		c.rd = newReading(c)
	}
	c.rd.r, c.rd.n = 0, 0
	return c.rd.buf
}

func (c *Conn) giveUp() {
	c.scratch = nil
	c.head.forget()
	if c.rd != nil {
		c.rd.release()
		c.rd = nil
	}
}
