package proxy

import (
	"errors"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// writer sends a head and the pieces of a body, small ones together. The same for both
// directions.
type writer struct {
	s       *socket.Conn
	out     []byte // what is still to be sent
	chunked bool
	ended   bool  // out holds the end of the body, or it was sent
	swift   bool  // nothing waits: what there is no room for is owed
	owed    bool  // repay sends it
	torn    bool  // the end of a chunk follows then
	sent    int64 // bytes of body
	stall   int64 // how long the peer may take nothing, nanoseconds
}

// joinUpTo is the size up to which a piece is copied behind what is still to be sent.
const joinUpTo = 4 << 10

// data sends a piece.
func (w *writer) data(p []byte) error {
	w.sent += int64(len(p))
	if w.chunked {
		w.out = http1.AppendChunkSize(w.out, len(p))
	}
	if w.joins(p) {
		w.out = append(w.out, p...)
	} else if err := w.send(p); err != nil {
		w.torn = w.chunked
		return err
	}
	if w.chunked {
		w.out = append(w.out, '\r', '\n')
	}
	return nil
}

// joins says whether a piece is copied.
func (w *writer) joins(p []byte) bool {
	return len(p) <= joinUpTo && len(w.out)+len(p)+2 <= cap(w.out)
}

// last sends the last piece, and the end of the body with the trailers that may be passed on.
func (w *writer) last(p []byte, trailers http1.Fields, b []byte) error {
	if len(p) > 0 {
		if err := w.data(p); err != nil {
			return err
		}
	}
	w.end(trailers, b)
	return w.flush()
}

// end puts the end of the body behind what is still to be sent.
func (w *writer) end(trailers http1.Fields, b []byte) {
	if w.chunked && !w.ended {
		w.out = append(w.out, "0\r\n"...)
		w.out = appendTrailers(w.out, trailers, b)
		w.out = append(w.out, '\r', '\n')
	}
	w.ended = true
}

// errOwed says that the peer has no room for what is to be sent, and nothing waits for that.
var errOwed = errors.New("the peer has no room")

// send sends out and p.
func (w *writer) send(p []byte) error {
	if w.swift {
		if w.owed = !w.s.WriteNow(w.out, p); w.owed {
			return errOwed
		}
	} else if _, err := w.s.Write2(w.out, p); err != nil {
		return err
	}
	w.out = w.out[:0]
	return nil
}

// repay waits from now on, first for what is owed.
func (w *writer) repay() error {
	w.swift = false
	if !w.owed {
		return nil
	}
	err := w.s.Flush()
	w.owed, w.out = false, w.out[:0]
	if w.torn {
		w.torn, w.out = false, append(w.out, '\r', '\n')
	}
	return err
}

// appendTrailers appends the trailer fields that may be passed on.
func appendTrailers(dst []byte, trailers http1.Fields, b []byte) []byte {
	return http1.AppendFields(dst, b, trailers, func(i int) bool {
		return trailers[i].Trails(b)
	})
}

func (w *writer) renew(now int64) { w.s.SetWriteDeadline(now + w.stall) }
func (w *writer) count() int64    { return w.sent }

func (w *writer) flush() error {
	if len(w.out) == 0 {
		return nil
	}
	return w.send(nil)
}
