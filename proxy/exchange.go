package proxy

import (
	"errors"
	"sync"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/match"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// exchange is one request and its answer. It is pooled; the connection's goroutine owns
// it, and lends the request body's reader and the upstream's writer to an upload.
type exchange struct {
	c        *conn
	table    *table
	route    *route
	target   *target
	rot      *rotation
	headless bool // there is no parsed request

	// forward and matched are the two forms of the path.
	forward, matched []byte

	// The way to the endpoint.
	ep       *endpoint
	tried    []*endpoint
	uc       *socket.Conn
	reused   bool // uc was used before
	whole    bool // the request is complete in toUp and small
	small    []byte
	body     reader // of the request
	toUp     writer
	upload   *upload // nil unless the body is streamed
	replayed bool
	slot     *limiter // where the exchange has a place; nil: nowhere
	queued   int64    // nanoseconds that it waited for one
	late     bool     // startedAt is some time ago

	// The way back.
	resp     http1.Response
	up       buffer
	answer   reader
	toClient writer
	interims int

	startedAt, sentAt, headAt int64
	deadline                  int64 // of the route; 0: none
	status                    int   // what the client got; 0: nothing
	failure                   gateway.Failure
	reason                    string // why Sluice answered itself
	id                        uint64 // request id; 0: none yet
	aborted                   bool   // the client left
}

var exchanges = sync.Pool{New: func() any {
	x := &exchange{}
	x.toUp.out = make([]byte, 0, sizeHead)
	x.toClient.out = make([]byte, 0, sizeHead)
	return x
}}

func newExchange(c *conn) *exchange {
	x := exchanges.Get().(*exchange)
	x.c, x.startedAt = c, c.readyAt
	x.table = c.p.live.Load()
	x.toClient.s, x.toClient.stall = c.s, c.p.times.write
	c.s.SetWriteDeadline(x.startedAt + c.p.times.write)
	return x
}

// release gives the memory back. Slices keep their room, unless it grew out of hand.
func (x *exchange) release() {
	x.up.release()
	clear(x.tried)
	x.resp.Reset()
	keep := exchange{tried: x.tried[:0], resp: x.resp}
	keep.toUp.out, keep.toClient.out = modest(x.toUp.out), modest(x.toClient.out)
	keep.body.chunked.Trailers = x.body.chunked.Trailers[:0]
	keep.answer.chunked.Trailers = x.answer.chunked.Trailers[:0]
	*x = keep
	exchanges.Put(x)
}

func modest(b []byte) []byte {
	if cap(b) > sizeStream {
		return make([]byte, 0, sizeHead)
	}
	return b[:0]
}

func (x *exchange) req() *http1.Request { return &x.c.in.req }

// head is the bytes that the request's spans point into. They stay in place until the
// exchange is over.
func (x *exchange) head() []byte { return x.c.in.buf.filled() }

// run serves the request and reports whether the connection can take another one.
func (x *exchange) run() bool {
	if e := x.find(); e != nil {
		return x.refuse(e)
	}
	if x.route.respond != nil {
		return x.respond()
	}
	if err := x.prepare(); err != nil {
		return x.fail(err)
	}
	defer x.leave()
	if err := x.enter(); err != nil {
		return x.fail(err)
	}
	if err := x.try(); err != nil {
		return x.fail(err)
	}
	if x.resp.Status == 101 {
		return x.tunnel()
	}
	return x.deliver()
}

// find decides where the request goes, before anything of its body is read.
func (x *exchange) find() *http1.Error {
	if x.table == nil {
		return errStarting
	}
	r, b, in := x.req(), x.head(), x.c.in
	h, ok := x.table.hosts.Find(r.Host.Of(b), in.scratch)
	if !ok {
		return errNoHost
	}
	var err error
	if x.forward, x.matched, in.scratch, err = match.Normalise(r.PathText(b), in.scratch); err != nil {
		return errPath
	}
	if x.route, ok = h.paths.Find(x.matched); !ok {
		return errNoPath
	}
	if x.route.respond != nil {
		x.target = x.route.respond.target
		return nil
	}
	if x.target = x.route.target(); x.target == nil {
		return errNoEndpoint
	}
	x.rot = x.target.upstream.live.Load()
	if x.route.timeout > 0 {
		x.deadline = x.startedAt + x.route.timeout
	}
	if r.Framing == http1.Length && x.route.maxBody > 0 && r.Length > x.route.maxBody {
		return errTooLarge
	}
	return nil
}

// ask sends the request to x.ep and waits for the head of the answer. A kept connection
// that turns out to be closed is replaced once by a new one.
func (x *exchange) ask() error {
	for {
		if err := x.open(); err != nil {
			return err
		}
		x.ep.inFlight.Add(1)
		n, err := x.send()
		if err == nil {
			err = x.awaitHead()
		}
		if err == nil {
			return nil
		}
		x.ep.inFlight.Add(-1)
		stale := errors.Is(err, errNoAnswer) && x.reused && !x.replayed && x.rot.attempts > 1 && x.whole &&
			(n == 0 || x.req().Method.Idempotent())
		x.drop()
		if !stale {
			return x.asked(err)
		}
		x.replayed = true
	}
}

// asked reports an exchange that ended without an answer.
func (x *exchange) asked(err error) error {
	switch {
	case errors.Is(err, errNoAnswer), errors.Is(err, errCut):
		x.report(gateway.FailureReset)
	case errors.Is(err, errSlowUpstream):
		x.report(gateway.FailureTimeout)
	case errors.Is(err, errMalformed):
		x.report(gateway.FailureMalformed)
	default:
		x.ep.outcomes[outcomeAborted].Add(1) // the client's doing
	}
	return err
}

// drop closes the upstream connection, which can not be used again.
func (x *exchange) drop() {
	x.stopUpload()
	_ = x.uc.Close()
	x.uc = nil
}

// send writes the request, or its head when an upload streams the rest. It returns how
// many bytes were taken.
func (x *exchange) send() (int, error) {
	x.sentAt = x.startedAt
	if !x.reused || x.late {
		x.sentAt = socket.Now()
	}
	x.uc.SetWriteDeadline(x.sentAt + x.c.p.times.write)
	x.toUp.s, x.toUp.stall = x.uc, x.c.p.times.write
	if !x.whole {
		return 1, x.startUpload()
	}
	n, err := x.uc.Write2(x.toUp.out, x.small)
	if err != nil && n > 0 && !errors.Is(err, socket.ErrTimeout) {
		return n, nil // the answer may have come early; reading tells
	}
	if err != nil {
		return n, errNoAnswer
	}
	return n, nil
}

// report tells how the exchange with x.ep went.
func (x *exchange) report(f gateway.Failure) {
	x.failure = f
	status := 0
	if x.headAt != 0 {
		status = x.resp.Status
	}
	x.ep.outcomes[outcomeOf(status, f)].Add(1)
	if x.c.p.cfg.Observer == nil {
		return
	}
	now := x.headAt
	if now == 0 {
		now = socket.Now()
	}
	x.c.p.cfg.Observer.Observe(gateway.Outcome{
		EndpointKey: x.ep.key,
		At:          socket.Time(now),
		Latency:     socket.Span(x.sentAt, now),
		Status:      status,
		Failure:     f,
	})
}
