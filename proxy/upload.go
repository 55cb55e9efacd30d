package proxy

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// smallBody is the size up to which a request body is taken whole before an endpoint is
// asked: it spares a goroutine, and the request can be sent again.
const smallBody = 12 << 10

// upload streams a request body while the answer may already be coming. Its goroutine owns
// the exchange's body and toUp until done is closed.
type upload struct {
	active   bool
	done     chan struct{}
	readAll  atomic.Bool  // the client has sent everything
	progress atomic.Int64 // when something was last heard of the client
	side     side         // what failed and how; read after done
	err      error
	failed   atomic.Bool // reading failed: err is set
}

// prepare builds what goes to the endpoint, and takes a small body whole.
func (x *exchange) prepare() error {
	r, in, limit := x.req(), x.c.in, x.route.maxBody
	x.toUp.chunked = r.Framing == http1.ChunkedTE
	x.toUp.out = x.requestHead(x.toUp.out[:0])
	x.body.start(x.c.s, &in.buf, r.Size, r.Framing, r.Length, limit, x.c.p.times.body)
	if r.Framing != http1.NoBody {
		x.c.s.PaceReads(x.c.p.body)
	}
	waits := r.Continue && in.buf.n == r.Size // the body comes after our 100
	switch {
	case r.Framing == http1.NoBody:
		x.whole = true
	case waits:
	case r.Framing == http1.Length && r.Length <= smallBody:
		return x.takeSmall()
	case r.Framing == http1.ChunkedTE:
		return x.takeChunks()
	}
	return nil
}

// takeSmall waits for a small body.
func (x *exchange) takeSmall() error {
	in, r := x.c.in, x.req()
	end := r.Size + int(r.Length)
	in.buf.ensure(end)
	for in.buf.n < end {
		x.c.s.SetReadDeadline(socket.Now() + x.c.p.times.body)
		n, err := x.c.s.Read(in.buf.free())
		if err != nil {
			return clientFault(err)
		}
		in.buf.n += n
	}
	if _, err := x.body.take(); err != nil {
		return err
	}
	x.small, x.whole = in.buf.b[r.Size:end], true
	// The buffer may have moved, and the path with it.
	return nil
}

// takeChunks takes the chunks that have come with the head.
func (x *exchange) takeChunks() error {
	for len(x.toUp.out) < smallBody {
		piece, err := x.body.take()
		if err != nil {
			return err
		}
		if x.body.ended {
			trailers, b := x.body.trailers()
			x.toUp.out = append(x.toUp.out, "0\r\n"...)
			x.toUp.out = appendTrailers(x.toUp.out, trailers, b)
			x.toUp.out = append(x.toUp.out, '\r', '\n')
			x.whole = true
			return nil
		}
		if len(piece) == 0 {
			return nil
		}
		x.toUp.out = http1.AppendChunkSize(x.toUp.out, len(piece))
		x.toUp.out = append(append(x.toUp.out, piece...), '\r', '\n')
	}
	return nil
}

// startUpload sends 100 if the client waits for it, and starts to stream.
func (x *exchange) startUpload() error {
	r := x.req()
	if r.Continue && x.c.in.buf.n == r.Size {
		if _, err := x.c.s.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return errClientGone
		}
	}
	x.upload = &upload{active: true, done: make(chan struct{})}
	x.upload.progress.Store(socket.Now())
	go x.stream()
	return nil
}

// stream is the upload's goroutine.
func (x *exchange) stream() {
	u := x.upload
	defer func() {
		if x.c.survived(recover()) {
			u.side, u.err = readSide, errClientGone
			u.failed.Store(true)
			x.uc.Interrupt()
		}
		close(u.done)
	}()
	u.side, u.err = pipe(&x.toUp, &x.body,
		func(err error, _ int64) error { return clientFault(err) },
		func() { u.progress.Store(socket.Now()); u.readAll.Store(true) },
		func() { u.progress.Store(socket.Now()) })
	if u.side == readSide {
		u.failed.Store(true)
		x.uc.Interrupt() // there is no use in waiting for the answer
	}
}

// clientFault says what a failure to read a request body means.
func clientFault(err error) error {
	var e *http1.Error
	switch {
	case errors.Is(err, socket.ErrTimeout):
		return errSlowBody
	case errors.As(err, &e):
		return err
	case errors.Is(err, socket.ErrInterrupted):
		return err
	}
	return errClientGone
}

// fault is why the client's body can not be had, or nil.
func (u *upload) fault() error {
	if !u.failed.Load() || errors.Is(u.err, socket.ErrInterrupted) {
		return nil
	}
	return u.err
}

// uploading says whether the body may still be on its way.
func (x *exchange) uploading() bool { return x.upload != nil && x.upload.active }

// stopUpload ends the upload, if there is one, and reports whether the whole request has
// reached the endpoint. The answer is complete or given up when it is called.
func (x *exchange) stopUpload() bool {
	u := x.upload
	if u == nil {
		return true
	}
	u.active = false
	if u.readAll.Load() {
		// The last bytes are being written. Give them a moment: an endpoint that took the
		// request to its end can be asked again on the same connection.
		timer := time.NewTimer(100 * time.Millisecond)
		select {
		case <-u.done:
		case <-timer.C:
		}
		timer.Stop()
	}
	select {
	case <-u.done:
	default:
		x.uc.InterruptWrite()
		x.c.s.Interrupt()
		<-u.done
		x.c.s.Resume()
	}
	return u.side == noSide && u.err == nil
}
