package proxy

import (
	"errors"
	"math"
	"sync"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/match"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// exchange is one request and its answer, whatever codecs they travel in. It is pooled; who
// serves the request owns it, a goroutine or a loop, and a goroutine lends the body and the way
// to the endpoint to an upload.
type exchange struct {
	c        *conn // the connection that the request came on
	front    front
	rule     *rule
	route    *route // of the rule
	target   *target
	rot      *rotation
	headless bool // there is no parsed request

	generation uint64 // of the table that says where it goes; 0: none does

	// forward and matched are the two forms of the path, scratch is where they may live.
	forward, matched []byte
	scratch          []byte
	answer           *fixed // without asking an endpoint; nil: one is asked
	key              uint64 // the place on the upstream's ring; 0 where there is none

	// The way to the endpoint.
	ep                  *endpoint
	tried               []*endpoint
	tries               int   // with ep, besides those that do not count
	firstAt             int64 // when the first began
	probing             bool  // ep was not reached lately
	link                link
	reused              bool // link was used before
	personal            bool // and is the client's own, see bound
	held                bool // counted among ep's requests in flight
	body                source
	fromClient          reader // body, over HTTP/1.1
	whole               bool   // the request is complete and small
	gathered            []byte
	small               []byte // of the body: what follows toUp.out or block
	gatheredPath, lines []byte // for block
	toUp                writer
	toUpStream          streamSink
	block               []byte  // the head for an endpoint that speaks HTTP/2
	upload              *upload // nil unless the body is streamed
	replayed            bool
	slot                *limiter    // where the exchange has a place; nil: nowhere
	queued              int64       // nanoseconds that it waited for one
	late                bool        // startedAt is some time ago
	prompt              bool        // startedAt is when the whole head was there
	turn                socket.Turn // of the loop that serves it now
	next                step
	copy                *duplicate // for the route's mirror; nil: there is none
	duplicate           bool       // this is such a copy: nobody counts or logs it
	progress            *progress  // where the exchange is counted under progressKey; nil: nowhere
	progressKey         uint64
	retryIn             int64 // seconds after which a refused client may come again; 0: it is not told

	// The way back.
	resp         http1.Response
	up           buffer
	fromUp       reader
	fromUpStream streamSource
	toClient     writer
	again        bool // the client's connection can take another request
	interims     int
	interimAt    int64 // when the last of them came; 0: there was none
	tunnelled    int64 // bytes

	startedAt, sentAt, headAt int64
	endedAt                   int64
	deadline                  int64 // of the route or the client; 0: none
	patience                  int64 // with a silent endpoint, nanoseconds
	call                      bool  // of gRPC
	status                    int   // what the client got; 0: nothing
	failure                   gateway.Failure
	reason                    string // why Sluice answered itself
	id                        uint64 // request id; 0: none yet
	aborted                   bool   // the client left
	line                      []byte // for the access log
}

var exchanges = sync.Pool{New: func() any {
	x := &exchange{}
	x.toUp.out = make([]byte, 0, sizeHead)
	x.toClient.out = make([]byte, 0, sizeHead)
	return x
}}

func newExchange(c *conn, f front, startedAt int64) *exchange {
	x := exchanges.Get().(*exchange)
	x.begin(c, f, startedAt)
	return x
}

// begin makes an exchange that was reset one of c's.
func (x *exchange) begin(c *conn, f front, startedAt int64) {
	x.c, x.front, x.startedAt = c, f, startedAt
}

// release gives the memory back.
func (x *exchange) release() {
	x.reset()
	exchanges.Put(x)
}

// reset forgets the request. Slices keep their room, unless it grew out of hand.
func (x *exchange) reset() {
	x.endProgress()
	x.endCopy()
	x.up.keep(sizeSmall)
	clear(x.tried)
	tried, up, fields, scratch := x.tried[:0], x.up, x.resp.Fields[:0], x.scratch
	gathered, block, path, lines, line := modest(x.gathered), modest(x.block), modest(x.gatheredPath), modest(x.lines), modest(x.line)
	toUp, toClient, toUpStream := modest(x.toUp.out), modest(x.toClient.out), modest(x.toUpStream.block)
	clientTail, upTail, streamTail := x.fromClient.chunked.Trailers[:0], x.fromUp.chunked.Trailers[:0], x.fromUpStream.tail.Trailers[:0]
	*x = exchange{} // one pass over it: a value with the rest in it would be made first, and copied
	x.tried, x.up, x.resp.Fields, x.scratch = tried, up, fields, scratch
	x.gathered, x.block, x.gatheredPath, x.lines, x.line = gathered, block, path, lines, line
	x.toUp.out, x.toClient.out, x.toUpStream.block = toUp, toClient, toUpStream
	x.fromClient.chunked.Trailers, x.fromUp.chunked.Trailers, x.fromUpStream.tail.Trailers = clientTail, upTail, streamTail
}

// modest keeps memory that did not grow out of hand.
func modest(b []byte) []byte {
	if cap(b) > sizeStream {
		return make([]byte, 0, sizeHead)
	}
	return b[:0]
}

func (x *exchange) req() *http1.Request { return x.front.request() }
func (x *exchange) head() []byte        { return x.front.head() }

// sent is how many bytes of body the client got.
func (x *exchange) sent() int64 { return x.toClient.sent + x.tunnelled }

// run serves the request and reports whether the connection can take another one.
func (x *exchange) run() bool {
	if e := x.find(); e != nil {
		return x.refuse(e)
	}
	return x.serve()
}

// serve is run once it is known where the request goes.
func (x *exchange) serve() bool {
	if x.answer != nil {
		return x.respond()
	}
	if x.route.mirror != nil {
		x.route.mirror.duplicate(x)
	}
	if err := x.prepare(); err != nil {
		return x.fail(err)
	}
	return x.pass()
}

// pass sends the request on, and the answer back.
func (x *exchange) pass() bool {
	defer func() {
		if x.c.became == nil {
			x.leave()
		}
	}()
	if err := x.enter(); err != nil {
		return x.fail(err)
	}
	return x.conclude(x.try())
}

// conclude ends an exchange once there is an answer, or will be none.
func (x *exchange) conclude(err error) bool {
	switch {
	case err != nil:
		return x.fail(err)
	case x.resp.Status == 101:
		return x.tunnel()
	}
	return x.deliver()
}

// find decides where the request goes, before anything of its body is read.
func (x *exchange) find() *http1.Error {
	table := x.c.p.live.Load()
	if table == nil {
		return errStarting
	}
	x.generation = table.generation // the table itself is not kept: an exchange may last for weeks
	r, b := x.req(), x.head()
	h, ok := table.hosts.Find(r.Host.Of(b), x.scratch)
	if !ok {
		return errNoHost
	}
	if !x.c.admitted(table.certs, r.Host.Of(b)) {
		return errMisdirected
	}
	var err error
	if x.forward, x.matched, x.scratch, err = match.Normalise(r.PathText(b), x.scratch); err != nil {
		return errPath
	}
	if x.rule, ok = h.paths.Find(x.matched); !ok {
		return errNoPath
	}
	if x.rule = x.rule.fitting(x); x.rule == nil {
		return errNoRule
	}
	x.route = x.rule.route
	if !x.route.from.Takes(h.from.Name, r.Host.Of(b)) {
		x.route = nil
		return errNoPath
	}
	if x.route.access != nil && !x.route.access.admits(x.client()) {
		x.target = x.route.refused
		return errRefusedClient
	}
	if x.route.limited {
		if e := x.withinLimits(); e != nil {
			return e
		}
	}
	if answered, e := x.answers(); answered {
		return e
	}
	if x.target = x.route.target(); x.target == nil {
		return errNoEndpoint
	}
	x.rot = x.target.upstream.live.Load()
	if x.rot.choosing.policy == byHash {
		x.key = x.hash() // before the head is given away
	}
	x.setDeadline()
	if r.Framing == http1.Length && x.route.maxBody > 0 && r.Length > x.route.maxBody {
		return errTooLarge
	}
	return nil
}

// answers says whether the route answers by itself, and notes with what.
func (x *exchange) answers() (bool, *http1.Error) {
	switch rt := x.route; {
	case rt.redirect.takes(x):
		x.answer = rt.redirect.fixed
		if len(rt.redirect.host) == 0 && x.req().Authority.Empty() {
			x.answer, x.target = nil, rt.redirect.target
			return true, http1.ErrHostMissing
		}
	case rt.respond != nil:
		x.answer = rt.respond
	default:
		return false, nil
	}
	x.target = x.answer.target
	return true, nil
}

// forever is a time in nanoseconds that can be added to any other.
const forever = math.MaxInt64 / 4

// setDeadline bounds the exchange by its route, and a call of gRPC by what its client says. Both
// ends of such a call may be silent for as long as it lasts.
func (x *exchange) setDeadline() {
	if x.route.timeout > 0 {
		x.deadline = x.startedAt + x.route.timeout
	}
	x.patience = x.rot.response
	if !x.rot.http2 {
		return
	}
	r, b := x.req(), x.head()
	if !isGRPC(r, b) {
		return
	}
	x.call, x.patience = true, forever
	if t := callTime(r, b); t > 0 && (x.deadline == 0 || x.startedAt+t < x.deadline) {
		x.deadline = x.startedAt + t
	}
}

// ask sends the request to x.ep and waits for the head of the answer. A kept connection
// that turns out to be closed is replaced once by a new one.
func (x *exchange) ask() error {
	for {
		if err := x.open(); err != nil {
			return err
		}
		if !x.front.watch(&x.link) {
			x.drop()
			return errClientGone
		}
		x.hold()
		x.expect()
		n, err := x.send()
		if err, again := x.hear(n, err); !again {
			return err
		}
	}
}

// hear waits for the head of the answer to a request of which n bytes were sent, unless sending
// failed. It says whether to ask again.
func (x *exchange) hear(n int, err error) (_ error, again bool) {
	if err == nil {
		if err = x.awaitHead(); err == nil {
			return nil, false
		}
		if x.whole && x.link.conn != nil {
			n = max(n, x.link.conn.Asked())
		}
	}
	x.letGo()
	again = x.whole && !x.replayed && x.rot.attempts > 1 && (errors.Is(err, errRefused) ||
		errors.Is(err, errNoAnswer) && x.reused && (n == 0 || x.req().Method.Idempotent()))
	x.drop()
	if !again {
		return x.asked(err), false
	}
	x.replayed = true
	return err, true
}

// asked reports an exchange that ended without an answer.
func (x *exchange) asked(err error) error {
	switch {
	case errors.Is(err, errRefused):
		x.ep.outcomes[outcomeReset].Add(1) // it is leaving, or full: no fault of its
	case errors.Is(err, errNoAnswer), errors.Is(err, errCut):
		x.report(gateway.FailureReset)
	case errors.Is(err, errSlowUpstream):
		x.report(gateway.FailureTimeout)
	case errors.Is(err, errMalformed):
		x.report(gateway.FailureMalformed)
	case errors.Is(err, errDrained):
		x.ep.outcomes[outcomeDrained].Add(1)
	default:
		x.ep.outcomes[outcomeAborted].Add(1) // the client's doing
	}
	return err
}

// hold counts the exchange among those in flight to x.ep, until letGo.
func (x *exchange) hold() {
	x.held = true
	x.ep.inFlight.Add(1)
}

func (x *exchange) letGo() {
	if x.held {
		x.held = false
		x.ep.inFlight.Add(-1)
	}
}

// abandon ends what a panic left half done. The exchange is not used again.
func (x *exchange) abandon() {
	if x.link.open() {
		x.drop()
	}
	x.letGo()
	x.endProgress()
	x.endCopy()
}

// drop closes the upstream connection, which can not be used again.
func (x *exchange) drop() {
	x.stopUpload()
	x.front.unwatch()
	x.link.close()
}

// send writes the request, or its head when an upload streams the rest. It returns how
// many bytes were taken.
func (x *exchange) send() (int, error) {
	x.sentAt = x.startedAt
	if !x.reused || x.late {
		x.sentAt = socket.Now()
	}
	if x.link.stream != nil {
		return x.sendStream()
	}
	uc := x.link.conn
	uc.SetWriteDeadline(x.sentAt + x.c.p.times.write)
	x.toUp.s, x.toUp.stall = uc, x.c.p.times.write
	if !x.whole {
		return 1, x.startUpload()
	}
	n, err := uc.Ask(x.toUp.out, x.small)
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
	now, id := x.headAt, x.id
	if now == 0 || f != "" {
		now = socket.Now() // an answer may break off long after its head
	}
	if failed := f != "" || status >= 502 && status <= 504; failed || x.rot.choosing.policy == byLatency {
		x.rot.judge(x.ep, now, now-x.sentAt, failed)
	}
	if x.c.p.cfg.Observer == nil {
		return
	}
	if f != "" || status >= 500 {
		id = x.requestID() // evidence names the request, so that it is found in access logs
	}
	x.c.p.cfg.Observer.Observe(gateway.Outcome{
		EndpointKey: x.ep.key,
		At:          socket.Time(now),
		Latency:     socket.Span(x.sentAt, now),
		Request:     gateway.RequestID(id),
		Status:      status,
		Failure:     f,
		Reason:      x.reason,
	})
}
