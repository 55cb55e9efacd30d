package proxy

import (
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// front is the client's side of an exchange: a request on an HTTP/1.1 connection (*conn), or
// a stream of an HTTP/2 one (*streamFront). The exchange sees requests and answers, never
// their codec.
type front interface {
	// request is the parsed head, head the bytes that its spans point into.
	request() *http1.Request
	head() []byte
	// body prepares to take the request's body, as the route limits it.
	body(x *exchange) source
	// gather takes a small body whole if it can be had without holding up a stream.
	gather(x *exchange) error
	// proceed tells the client to send the body it waits with.
	proceed() error
	// stop ends the wait for more of the body; resume takes that back.
	stop()
	resume()
	// gone says, without waiting, whether the client has left.
	gone() bool
	// watch has a wait for the endpoint interrupted when the client leaves, as far as that
	// can be noticed; unwatch takes it back and reports false when it may have happened.
	watch(l *link) bool
	unwatch() bool
	// interim passes an interim answer on.
	interim(x *exchange) error
	// answer sends the answer's head, or queues it, and returns where the body goes.
	answer(x *exchange) (sink, error)
	// refuse sends an answer of Sluice's own and reports whether another request can follow.
	refuse(x *exchange, e *http1.Error) bool
	// finish ends an exchange whose answer has been sent (whole) or broke off, and reports
	// whether another request can follow.
	finish(x *exchange, whole bool) bool
	// tunnelWanted says whether the client takes any 2xx for a tunnel that is open, as it
	// does behind an extended CONNECT (RFC 8441 section 5).
	tunnelWanted() bool
	// tunnel passes on the switch of protocols and then bytes both ways. It reports false when that
	// is over.
	tunnel(x *exchange) (goesOn bool)
}

// source is a body as it comes.
type source interface {
	// take returns the next piece that has arrived, valid until the next take or fill. An
	// empty piece means that the body is over or that fill is needed.
	take() ([]byte, error)
	// fill waits for more; socket.ErrTimeout after the source's time for a silence.
	fill(now int64) error
	over() bool
	// more says that take may have another piece at once.
	more() bool
	// trailers are the fields after the body, as spans of the bytes returned.
	trailers() (http1.Fields, []byte)
	count() int64
	// long is a hint that this is a long body.
	long()
}

// sink is where a body goes.
type sink interface {
	// data sends a piece, or keeps it to be sent together with others.
	data(p []byte) error
	// last sends the last piece and ends the body.
	last(p []byte, trailers http1.Fields, b []byte) error
	// flush sends what was kept.
	flush() error
	// renew gives the peer time again to take something.
	renew(now int64)
	count() int64
}
