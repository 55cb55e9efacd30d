package proxy

import (
	"errors"
	"io"

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
func pipe(w sink, r source, idle func(err error, since int64) error, atEnd, progress func()) (side, error) {
	for {
		piece, err := r.take()
		if err != nil {
			return readSide, err
		}
		if r.over() {
			atEnd()
			trailers, b := r.trailers()
			if err := w.last(piece, trailers, b); err != nil {
				return writeSide, err
			}
			return noSide, nil
		}
		if len(piece) > 0 {
			if err := w.data(piece); err != nil {
				return writeSide, err
			}
			if r.more() {
				continue
			}
		}
		if err := w.flush(); err != nil {
			return writeSide, err
		}
		if sr, sw := spliceable(w, r); sr != nil {
			if sr.swift {
				return readSide, errLong
			}
			return splice(sw, sr, idle, atEnd, progress)
		}
		if s, err := refill(w, r, idle); s != noSide {
			return s, err
		}
		progress()
	}
}

// spliceable tells whether the kernel can move the rest of a body by itself: of a known length,
// between two plain connections.
func spliceable(w sink, r source) (*reader, *writer) {
	sr, ok := r.(*reader)
	if !ok || sr.rest() < socket.SpliceMin {
		return nil, nil
	}
	sw, ok := w.(*writer)
	if !ok || sw.chunked || !sr.s.CanSplice(sw.s) {
		return nil, nil
	}
	return sr, sw
}

// refill waits for more of r and moves the deadlines of both sides.
func refill(w sink, r source, idle func(err error, since int64) error) (side, error) {
	r.long()
	now := socket.Now()
	return refillSince(w, r, idle, now, now)
}

// refillSince is refill when the wait has begun at a time before now.
func refillSince(w sink, r source, idle func(err error, since int64) error, since, now int64) (side, error) {
	for {
		err := r.fill(now)
		now = socket.Now()
		switch {
		case err == nil:
			w.renew(now)
			return noSide, nil
		case errors.Is(err, errNothing), errors.Is(err, errLong):
			return readSide, err
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
