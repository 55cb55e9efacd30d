package origin

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
)

// Frame types and flags of RFC 9113, section 6.
const (
	frameData, frameHeaders, frameSettings = 0x0, 0x1, 0x4
	framePing, frameGoAway, frameWindow    = 0x6, 0x7, 0x8
	flagEnd, flagAck, flagEndHeaders       = 0x1, 0x1, 0x4
)

const (
	frameHead     = 9
	prefaceLength = 24
	startWindow   = 65535 // of a connection, before any WINDOW_UPDATE
	refillAfter   = 32 << 10
)

// answer is what every stream gets: head, message, trailers. Only stream numbers differ.
type answer struct {
	wire    []byte
	streams [3]int // where the stream numbers are
	data    int    // bytes that count for flow control
}

func appendFrame(b []byte, kind, flags byte, payload []byte) []byte {
	b = append(b, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), kind, flags, 0, 0, 0, 0)
	return append(b, payload...)
}

// newAnswer makes an answer with a message of that many bytes. Header fields are literals
// without indexing (RFC 7541, section 6.2.2), so that no table is needed on this side.
func newAnswer(size int) answer {
	head := append([]byte{0x88, 0x0f, 0x10, 16}, "application/grpc"...) // :status 200, content-type
	message := append([]byte{0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}, make([]byte, size)...)
	trailers := append([]byte{0x00, 11}, "grpc-status\x010"...)
	a := answer{data: len(message)}
	a.streams[0] = len(a.wire) + 5
	a.wire = appendFrame(a.wire, frameHeaders, flagEndHeaders, head)
	a.streams[1] = len(a.wire) + 5
	a.wire = appendFrame(a.wire, frameData, 0, message)
	a.streams[2] = len(a.wire) + 5
	a.wire = appendFrame(a.wire, frameHeaders, flagEndHeaders|flagEnd, trailers)
	return a
}

// grpcConn is one connection of a proxy. Its goroutine owns it.
type grpcConn struct {
	r       *bufio.Reader
	w       *bufio.Writer
	answer  answer
	served  *atomic.Int64
	window  int      // what we may send
	got     int      // bytes of data since the last WINDOW_UPDATE
	waiting []uint32 // streams to be answered
}

func serveGRPC(nc net.Conn, a answer, served *atomic.Int64) {
	defer func() { _ = nc.Close() }()
	c := &grpcConn{r: bufio.NewReaderSize(nc, 64<<10), w: bufio.NewWriterSize(nc, 64<<10), answer: a, served: served, window: startWindow}
	if _, err := c.r.Discard(prefaceLength); err != nil {
		return
	}
	_, _ = c.w.Write(appendFrame(nil, frameSettings, 0, nil))
	for c.frame() == nil {
		// Answer what has arrived together with one write.
		if c.r.Buffered() == 0 && c.w.Flush() != nil {
			return
		}
	}
}

// frame takes one frame.
func (c *grpcConn) frame() error {
	head, err := c.r.Peek(frameHead)
	if err != nil {
		return err
	}
	length := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
	kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
	_, _ = c.r.Discard(frameHead)
	switch kind {
	case frameData:
		c.got += length
		if c.got >= refillAfter {
			_, _ = c.w.Write(appendFrame(nil, frameWindow, 0, binary.BigEndian.AppendUint32(nil, uint32(c.got))))
			c.got = 0
		}
		fallthrough
	case frameHeaders:
		if flags&flagEnd != 0 {
			c.waiting = append(c.waiting, stream)
		}
	case frameSettings:
		if flags&flagAck == 0 {
			_, _ = c.w.Write(appendFrame(nil, frameSettings, flagAck, nil))
		}
	case framePing:
		payload, err := c.r.Peek(length)
		if err == nil && flags&flagAck == 0 {
			_, err = c.w.Write(appendFrame(nil, framePing, flagAck, payload))
		}
		if err != nil {
			return err
		}
	case frameWindow:
		payload, err := c.r.Peek(length)
		if err != nil {
			return err
		}
		if stream == 0 {
			c.window += int(binary.BigEndian.Uint32(payload))
		}
	case frameGoAway:
		return io.EOF
	}
	if _, err := c.r.Discard(length); err != nil {
		return err
	}
	return c.answerWaiting()
}

// answerWaiting answers as many streams as the window allows.
func (c *grpcConn) answerWaiting() error {
	done := 0
	for _, stream := range c.waiting {
		if c.window < c.answer.data {
			break
		}
		c.window -= c.answer.data
		for _, at := range c.answer.streams {
			binary.BigEndian.PutUint32(c.answer.wire[at:], stream)
		}
		if _, err := c.w.Write(c.answer.wire); err != nil {
			return err
		}
		c.served.Add(1)
		done++
	}
	c.waiting = append(c.waiting[:0], c.waiting[done:]...)
	return nil
}
