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
	pieces       bool  // it did not come at once
	swift        bool  // nothing waits
	silent       bool  // nothing had come at the last look; the read deadline is that of the wait
	fills        int   // since swift began, or was waited for
	quiet        int64 // how long a silence may last, nanoseconds
}

// The failures of a body besides those of its syntax (*http1.Error) and its connection.
var (
	errTooLarge  = &http1.Error{Status: 413, Class: "body_size", Text: "body is too large"}
	errTruncated = io.ErrUnexpectedEOF
)

// errNothing says that nothing has come, and that nothing waits for it.
var errNothing = errors.New("nothing has come yet")

// errLong says that a body is too long to be passed on without letting others have their turn.
var errLong = errors.New("the body is long")

// mostFills is how often a body is read on without letting others have their turn.
const mostFills = 4

// start makes r ready for a body whose first bytes are buf's from pos on.
func (r *reader) start(s *socket.Conn, buf *buffer, pos int, f http1.Framing, length, limit, quiet int64) {
	r.s, r.buf, r.pos, r.base = s, buf, pos, pos
	r.framing, r.remain = f, length
	r.total, r.limit, r.quiet = 0, limit, quiet
	r.ended, r.pieces = f == http1.NoBody, false
	r.chunked.Reset()
}

// take returns the next piece of the body that has arrived; it is valid until fill. An
// empty piece means that the body has ended (r.ended) or that fill is needed.
func (r *reader) take() (piece []byte, err error) {
	if r.ended {
		return nil, nil
	}
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

func (r *reader) over() bool   { return r.ended }
func (r *reader) count() int64 { return r.total }

// more: there may be another chunk already.
func (r *reader) more() bool { return r.framing == http1.ChunkedTE && r.pos < r.buf.n }

func (r *reader) long() {
	if len(r.buf.b) < sizeStream && r.total > sizeSmall {
		r.buf.ensure(sizeStream)
	}
}

// fill waits for more bytes.
func (r *reader) fill(now int64) error {
	r.pieces = true
	r.makeRoom()
	if r.buf.n == len(r.buf.b) {
		return http1.ErrHeadTooLarge // an endless chunk line or trailer section
	}
	if !r.silent {
		r.s.SetReadDeadline(now + r.quiet)
	}
	if r.swift {
		return r.fillNow()
	}
	n, err := r.s.Read(r.buf.free())
	return r.filled(n, err)
}

// fillNow takes what has come.
func (r *reader) fillNow() error {
	if r.fills++; r.fills > mostFills {
		return errLong
	}
	n := r.s.ReadNow(r.buf.free())
	r.silent = n == socket.Nothing
	switch n {
	case socket.Nothing:
		return errNothing
	case socket.Failed:
		return r.filled(0, r.s.Failure())
	}
	r.buf.n += n
	return nil
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
