package proxy

import (
	"errors"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/http2"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// streamSource takes a body from an HTTP/2 stream. The same for both directions.
type streamSource struct {
	st           *http2.Stream
	total, limit int64 // bytes so far, and how many are allowed (0: any number)
	quiet        int64 // how long a silence may last, nanoseconds
	meter        socket.Meter
	ended        bool
	pieces       bool          // it did not come at once
	tail         http1.Chunked // reads the trailers
	tailText     []byte
}

func (r *streamSource) start(st *http2.Stream, limit, quiet int64) {
	r.st, r.total, r.limit, r.quiet, r.ended, r.pieces, r.tailText = st, 0, limit, quiet, false, false, nil
	r.meter = socket.Meter{}
	r.tail.Reset()
}

func (r *streamSource) take() ([]byte, error) {
	if r.ended {
		return nil, nil
	}
	piece, ended, err := r.st.Take()
	if err != nil {
		return nil, err
	}
	r.meter.End(len(piece))
	if r.total += int64(len(piece)); r.limit > 0 && r.total > r.limit {
		return nil, errTooLarge
	}
	if ended {
		r.ended = true
		if r.tailText = r.st.Trailers(); len(r.tailText) > 0 {
			if _, _, _, bad := r.tail.Next(r.tailText); bad != nil {
				return nil, bad
			}
		}
	}
	return piece, nil
}

// fill waits at the meter's pace. All that came has been taken by then, so the peer has at
// least three quarters of the stream's window and nobody else to wait for.
func (r *streamSource) fill(now int64) error {
	r.pieces = true
	r.meter.Begin(now)
	err := r.st.Wait(r.meter.By(now + r.quiet))
	r.meter.End(0)
	return err
}

func (r *streamSource) over() bool   { return r.ended }
func (r *streamSource) more() bool   { return false }
func (r *streamSource) count() int64 { return r.total }
func (r *streamSource) long()        {}

func (r *streamSource) trailers() (http1.Fields, []byte) {
	if len(r.tailText) == 0 {
		return nil, nil
	}
	return r.tail.Trailers, r.tailText
}

// streamSink sends a body on an HTTP/2 stream. The same for both directions.
type streamSink struct {
	st    *http2.Stream
	stall int64 // how long the peer may take nothing, nanoseconds
	sent  int64
	done  bool   // the head has ended the stream already
	late  bool   // the peer was too slow
	block []byte // of heads and trailers
}

func (w *streamSink) data(p []byte) error { return w.send(p, false) }

func (w *streamSink) send(p []byte, end bool) error {
	w.sent += int64(len(p))
	err := w.st.Send(p, end, w.stall)
	w.late = errors.Is(err, socket.ErrTimeout)
	return err
}

func (w *streamSink) last(p []byte, trailers http1.Fields, b []byte) error {
	if w.done {
		return nil
	}
	if len(trailers) == 0 {
		return w.send(p, true)
	}
	if err := w.send(p, false); err != nil {
		return err
	}
	w.block = w.block[:0]
	for i := range trailers {
		if trailers[i].Trails(b) {
			w.block = http2.AppendField(w.block, trailers[i].Name.Of(b), trailers[i].Value.Of(b))
		}
	}
	return w.st.SendHead(w.block, true, w.stall)
}

func (w *streamSink) flush() error { return nil }
func (w *streamSink) renew(int64)  {}
func (w *streamSink) count() int64 { return w.sent }
