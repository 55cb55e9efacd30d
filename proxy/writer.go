package proxy

import (
	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// writer sends a head and the pieces of a body, small ones together. The same for both
// directions.
type writer struct {
	s       *socket.Conn
	out     []byte // what is still to be sent
	chunked bool
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
	if len(p) <= joinUpTo && len(w.out)+len(p)+2 <= cap(w.out) {
		w.out = append(w.out, p...)
	} else {
		_, err := w.s.Write2(w.out, p)
		w.out = w.out[:0]
		if err != nil {
			return err
		}
	}
	if w.chunked {
		w.out = append(w.out, '\r', '\n')
	}
	return nil
}

// last sends the last piece, and the end of the body with the trailers that may be passed on.
func (w *writer) last(p []byte, trailers http1.Fields, b []byte) error {
	if len(p) > 0 {
		if err := w.data(p); err != nil {
			return err
		}
	}
	if w.chunked {
		w.out = append(w.out, "0\r\n"...)
		w.out = appendTrailers(w.out, trailers, b)
		w.out = append(w.out, '\r', '\n')
	}
	return w.flush()
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
	_, err := w.s.Write(w.out)
	w.out = w.out[:0]
	return err
}
