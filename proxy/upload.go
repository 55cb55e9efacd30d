package proxy

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/http2"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// smallBody is the size up to which a request body is taken whole before an endpoint is
// asked: it spares a goroutine, and the request can be sent again.
const smallBody = 12 << 10

// upload streams a request body while the answer may already be coming. Its goroutine owns
// the exchange's body and the way to the endpoint until done is closed.
type upload struct {
	active   bool
	done     chan struct{}
	readAll  atomic.Bool  // the client has sent everything
	progress atomic.Int64 // when something was last heard of the client
	unsent   int          // what the endpoint had not taken at the last look
	side     side         // what failed and how; read after done
	err      error
	failed   atomic.Bool // reading failed: err is set
}

// prepare builds what goes to the endpoint, and takes a small body whole.
func (x *exchange) prepare() error {
	r := x.req()
	// The head comes first: gathering a body may move the buffer that the path points into, and
	// give the old one to others.
	if x.rot.http2 {
		x.block = x.requestBlock(x.block[:0])
	} else {
		x.toUp.chunked = r.Framing == http1.ChunkedTE
		x.toUp.out = x.requestHead(x.toUp.out[:0])
	}
	x.forward, x.matched = nil, nil
	x.body = x.front.body(x)
	if r.Framing == http1.NoBody {
		x.whole = true
	} else if err := x.front.gather(x); err != nil {
		return err
	}
	if x.copy != nil {
		x.copyBody()
	}
	if !x.rot.http2 {
		x.joinBody()
	}
	return nil
}

// joinBody puts what was gathered of the body behind the head for HTTP/1.1, as far as the two
// do not go out together anyway.
func (x *exchange) joinBody() {
	if !x.toUp.chunked {
		if !x.whole {
			x.toUp.out = append(x.toUp.out, x.small...)
		}
		return
	}
	if len(x.small) > 0 {
		x.toUp.out = http1.AppendChunkSize(x.toUp.out, len(x.small))
		x.toUp.out = append(append(x.toUp.out, x.small...), '\r', '\n')
		x.small = nil
	}
	if x.whole {
		x.toUp.out = appendEnd(x.toUp.out, x.body)
	}
}

// appendEnd appends the last chunk and the trailers of a body that is over.
func appendEnd(dst []byte, body source) []byte {
	trailers, b := body.trailers()
	dst = append(dst, "0\r\n"...)
	return append(appendTrailers(dst, trailers, b), '\r', '\n')
}

// takeChunks takes the pieces of a body that have come with the head.
func (x *exchange) takeChunks() error {
	x.gathered = x.gathered[:0]
	for len(x.gathered) < smallBody {
		piece, err := x.body.take()
		if err != nil {
			return err
		}
		x.gathered = append(x.gathered, piece...)
		if x.body.over() {
			x.whole = true
			break
		}
		if len(piece) == 0 {
			break
		}
	}
	x.small = x.gathered
	return nil
}

// startUpload sends 100 if the client waits for it, and starts to stream.
func (x *exchange) startUpload() error {
	if x.req().Continue {
		if err := x.front.proceed(); err != nil {
			return errClientGone
		}
	}
	x.upload = &upload{active: true, done: make(chan struct{})}
	x.upload.progress.Store(socket.Now())
	if x.link.conn != nil {
		x.link.conn.PaceWrites(&x.c.p.takes)
	}
	go x.stream()
	return nil
}

// stream is the upload's goroutine.
func (x *exchange) stream() {
	u, to, from := x.upload, sink(&x.toUp), x.body
	if x.copy != nil {
		from = &copying{from, x.copy}
	}
	if x.link.stream != nil {
		to = &x.toUpStream
	}
	defer func() {
		if x.c.survived(recover()) {
			u.side, u.err = readSide, errClientGone
			u.failed.Store(true)
			x.link.Interrupt()
		}
		close(u.done)
	}()
	u.side, u.err = pipe(to, from,
		func(err error, _ int64) error { return clientFault(err) },
		func() { u.progress.Store(socket.Now()); u.readAll.Store(true) },
		func() { u.progress.Store(socket.Now()) })
	if u.side == readSide {
		u.failed.Store(true)
		x.link.Interrupt() // there is no use in waiting for the answer
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
	case errors.Is(err, http2.ErrMalformed):
		return errClientGone // its stream has been reset
	}
	return errClientGone
}

// fault is why the client's body can not be had, or nil.
func (u *upload) fault() error {
	if !u.failed.Load() || errors.Is(u.err, socket.ErrInterrupted) {
		return nil
	}
	var e *http1.Error
	if !errors.As(u.err, &e) {
		return errClientGone
	}
	return u.err
}

// heard is when something of the body last went on, at its start or at its end: an endpoint may take for
// minutes what one write has given to the kernel.
func (u *upload) heard(l *link) int64 {
	if l.conn == nil {
		return u.progress.Load()
	}
	n := l.conn.Unsent()
	if n < u.unsent {
		u.progress.Store(socket.Now())
	}
	u.unsent = n
	return u.progress.Load()
}

// uploading says whether the body may still be on its way.
func (x *exchange) uploading() bool { return x.upload != nil && x.upload.active }

// stopUpload ends the upload, if there is one, and reports whether the whole request has
// reached the endpoint, and the link is fit for another one. The answer is complete or given up
// when it is called.
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
		return u.side == noSide && u.err == nil
	default:
	}
	x.link.interruptWrite() // every later one, too: nothing more is sent over this link
	x.front.stop()
	<-u.done
	x.front.resume()
	return false
}
