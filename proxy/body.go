package proxy

import (
	"errors"
	"io"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// reader takes the pieces of a body from a connection. The same for both directions.
type reader struct {
	s    *socket.Conn
	buf  *buffer
	pos  int // the next unread byte of buf
	base int // buf up to here is not the body's

	framing http1.Framing
	remain  int64 // of a body with a length
	chunked http1.Chunked
	section int // where the piece that holds the trailers starts

	total, limit int64 // bytes so far, and how many are allowed (0: any number)
	ended        bool
	quiet        int64 // how long a silence may last, nanoseconds
}

// The failures of a body besides those of its syntax (*http1.Error) and its connection.
var (
	errTooLarge  = &http1.Error{Status: 413, Class: "body_size", Text: "body is too large"}
	errTruncated = io.ErrUnexpectedEOF
)

// start makes r ready for a body whose first bytes are buf's from pos on.
func (r *reader) start(s *socket.Conn, buf *buffer, pos int, f http1.Framing, length, limit, quiet int64) {
	r.s, r.buf, r.pos, r.base = s, buf, pos, pos
	r.framing, r.remain = f, length
	r.total, r.limit, r.quiet = 0, limit, quiet
	r.ended = f == http1.NoBody
	r.chunked.Reset()
}

// take returns the next piece of the body that has arrived; it is valid until fill. An
// empty piece means that the body has ended (r.ended) or that fill is needed.
func (r *reader) take() (piece []byte, err error) {
	have := r.buf.b[r.pos:r.buf.n]
	switch r.framing {
	case http1.Length:
		if int64(len(have)) > r.remain {
			have = have[:r.remain]
		}
		piece = have
		r.pos += len(piece)
		r.remain -= int64(len(piece))
		r.ended = r.remain == 0
	case http1.UntilClose:
		piece = have
		r.pos += len(piece)
	case http1.ChunkedTE:
		ev, p, n, bad := r.chunked.Next(have)
		if bad != nil {
			return nil, bad
		}
		r.section = r.pos
		r.pos += n
		piece, r.ended = p, ev == http1.End
	}
	r.total += int64(len(piece))
	if r.limit > 0 && r.total > r.limit {
		return nil, errTooLarge
	}
	return piece, nil
}

// fill waits for more bytes.
func (r *reader) fill(now int64) error {
	r.makeRoom()
	if r.buf.n == len(r.buf.b) {
		return http1.ErrHeadTooLarge // an endless chunk line or trailer section
	}
	r.s.SetReadDeadline(now + r.quiet)
	n, err := r.s.Read(r.buf.free())
	return r.filled(n, err)
}

func (r *reader) makeRoom() {
	if r.pos > r.base {
		copy(r.buf.b[r.base:], r.buf.b[r.pos:r.buf.n])
		r.buf.n -= r.pos - r.base
		r.pos = r.base
	}
	if r.buf.n == len(r.buf.b) {
		r.buf.grow()
	}
}

func (r *reader) filled(n int, err error) error {
	r.buf.n += n
	if errors.Is(err, io.EOF) {
		if r.framing == http1.UntilClose {
			r.ended = true
			return nil
		}
		return errTruncated
	}
	return err
}

// trailers are the fields after a chunked body, as spans of the bytes it returns.
func (r *reader) trailers() (http1.Fields, []byte) {
	if r.framing != http1.ChunkedTE {
		return nil, nil
	}
	return r.chunked.Trailers, r.buf.b[r.section:r.pos]
}

// rest is how many bytes the kernel may move by itself.
func (r *reader) rest() int64 {
	if r.framing != http1.Length || r.pos != r.buf.n {
		return 0
	}
	return r.remain
}

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

// end sends the end of the body with the trailers that may be passed on.
func (w *writer) end(trailers http1.Fields, b []byte) error {
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
		return trailers[i].Key == http1.KeyOther || trailers[i].Key == http1.KeyDate
	})
}

func (w *writer) flush() error {
	if len(w.out) == 0 {
		return nil
	}
	_, err := w.s.Write(w.out)
	w.out = w.out[:0]
	return err
}

// side says which end of a pipe failed.
type side uint8

const (
	noSide side = iota
	readSide
	writeSide
)

// pipe streams the rest of r to w and ends it. It waits on one side at a time, so a slow
// taker slows the giver. idle is called with the failure of a wait and when the wait
// began, and returns nil to wait on; atEnd is called when r has been read to its end, progress
// after each wait.
func pipe(w *writer, r *reader, idle func(err error, since int64) error, atEnd, progress func()) (side, error) {
	for {
		piece, err := r.take()
		if err != nil {
			return readSide, err
		}
		if r.ended {
			atEnd()
		}
		if len(piece) > 0 {
			if err := w.data(piece); err != nil {
				return writeSide, err
			}
		}
		if r.ended {
			trailers, b := r.trailers()
			if err := w.end(trailers, b); err != nil {
				return writeSide, err
			}
			return noSide, nil
		}
		if len(piece) > 0 && r.framing == http1.ChunkedTE && r.pos < r.buf.n {
			continue // there may be another chunk already
		}
		if err := w.flush(); err != nil {
			return writeSide, err
		}
		if r.rest() >= socket.SpliceMin && !w.chunked && r.s.CanSplice(w.s) {
			if s, err := splice(w, r, idle, atEnd, progress); s != noSide {
				return s, err
			}
			return noSide, nil
		}
		if s, err := refill(w, r, idle); s != noSide {
			return s, err
		}
		progress()
	}
}

// refill waits for more of r and moves the deadlines of both sides.
func refill(w *writer, r *reader, idle func(err error, since int64) error) (side, error) {
	if len(r.buf.b) < sizeStream && r.total > sizeSmall {
		r.buf.ensure(sizeStream) // this is a long one
	}
	since := socket.Now()
	for now := since; ; {
		err := r.fill(now)
		now = socket.Now()
		if err == nil {
			w.s.SetWriteDeadline(now + w.stall)
			return noSide, nil
		}
		if err = idle(err, since); err != nil {
			return readSide, err
		}
	}
}

// splice moves the rest of a body with a length inside the kernel.
func splice(w *writer, r *reader, idle func(err error, since int64) error, atEnd, progress func()) (side, error) {
	since := socket.Now()
	for r.remain > 0 {
		now := socket.Now()
		r.s.SetReadDeadline(now + r.quiet)
		w.s.SetWriteDeadline(now + w.stall)
		n, rerr, werr := r.s.Splice(w.s, r.remain, func(taken int64) {
			if taken == r.remain {
				atEnd() // before the last bytes are sent: the answer may come at once
			}
			progress()
			since = socket.Now()
			r.s.SetReadDeadline(since + r.quiet)
			w.s.SetWriteDeadline(since + w.stall)
		})
		r.remain -= n
		r.total += n
		w.sent += n
		if werr != nil {
			return writeSide, werr
		}
		if errors.Is(rerr, io.EOF) {
			rerr = errTruncated
		}
		if rerr != nil {
			if rerr = idle(rerr, since); rerr != nil {
				return readSide, rerr
			}
		}
	}
	r.ended = true
	return noSide, nil
}
