package proxy

import (
	"errors"
	"io"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

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
