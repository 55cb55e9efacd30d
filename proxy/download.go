package proxy

import (
	"errors"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/http2"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// maxInterims bounds the 1xx answers to one request, and one more for each second: an endpoint may say
// for hours that it is still at work (102).
const maxInterims = 16

// interim passes a 1xx answer on. 100 is Sluice's own to give.
func (x *exchange) interim() error {
	if x.resp.Status != 100 {
		if err := x.front.interim(x); err != nil {
			return errClientGone
		}
	}
	x.up.drop(x.resp.Size)
	x.resp.Reset()
	return nil
}

// deliver sends the answer to the client and reports whether its connection can take another
// request.
func (x *exchange) deliver() bool {
	w, from, err := x.answerHead()
	if err != nil {
		return x.finish(writeSide, err)
	}
	return x.finish(x.passBody(w, from))
}

// answerHead sends the answer's head, or queues it.
func (x *exchange) answerHead() (sink, source, error) {
	x.status = x.resp.Status
	from := x.answerBody()
	if x.resp.Framing == http1.NoBody {
		x.endProgress()
	}
	w, err := x.front.answer(x)
	return w, from, err
}

// passBody sends the answer's body, and what is left of the head.
func (x *exchange) passBody(w sink, from source) (s side, err error) {
	if x.resp.Framing != http1.NoBody {
		s, err = pipe(w, from, x.silence, x.endProgress, x.keepsUp)
	} else if err = w.flush(); err != nil {
		s = writeSide
	}
	x.toClient.sent = w.count() // also of a stream, for the log
	return s, err
}

// answerBody is what the answer's body is taken from.
func (x *exchange) answerBody() source {
	quiet := min(look, x.patience)
	if x.link.stream != nil {
		x.fromUpStream.start(x.link.stream, 0, quiet)
		return &x.fromUpStream
	}
	x.fromUp.start(x.link.conn, &x.up, x.resp.Size, x.resp.Framing, x.resp.Length, 0, quiet)
	return &x.fromUp
}

// keepsUp ends a body that never pauses when its endpoint's drain time is over.
func (x *exchange) keepsUp() {
	if x.ep.drain.over() {
		x.link.Interrupt()
	}
}

// silence judges a failed wait for more of the answer's body.
func (x *exchange) silence(err error, since int64) error {
	if x.ep.drain.over() {
		return errDrained
	}
	if !errors.Is(err, socket.ErrTimeout) {
		if x.uploading() {
			if fault := x.upload.fault(); fault != nil {
				return fault
			}
		}
		if errors.Is(err, socket.ErrInterrupted) && x.front.gone() {
			return errClientGone
		}
		return err
	}
	return x.waitOn(err, since)
}

// finish ends an exchange whose answer has been sent, in whole or in part.
func (x *exchange) finish(s side, err error) bool {
	x.endProgress() // of an answer that broke off
	sentAll := x.stopUpload()
	now := x.headAt
	if x.fromUp.pieces || x.fromUpStream.pieces || x.fromUp.total+x.fromUpStream.total > sizeSmall {
		now = socket.Now()
	}
	x.letGo()
	x.part(s == noSide && sentAll && !x.ep.drain.over() && x.resp.KeepAlive() && x.fromUp.pos == x.up.n, now)
	var told *http1.Error // what a client hears that has means to
	switch {
	case errors.Is(err, errDrained):
		told = errDrained
		x.ep.outcomes[outcomeDrained].Add(1) // no fault of the endpoint's
	case s == noSide:
		x.report("")
	case s == writeSide, errors.Is(err, errClientGone), x.uploadFault(err):
		told = ownError(err)
		x.aborted = true
		x.ep.outcomes[outcomeAborted].Add(1)
	default:
		x.report(bodyFailure(err))
	}
	if told != nil {
		x.reason = told.Class
	}
	x.account(now)
	if told != nil && x.endCall(told) {
		return false
	}
	return x.front.finish(x, s == noSide)
}

// uploadFault says whether the answer broke off because of the request's body.
func (x *exchange) uploadFault(err error) bool {
	return err != nil && x.upload != nil && errors.Is(err, x.upload.fault())
}

// part gives the link back, to be used again if it can be.
func (x *exchange) part(usable bool, now int64) {
	usable = x.front.unwatch() && usable
	personal := x.personal || x.req().Personal
	switch {
	case !usable || x.link.conn == nil || x.rot.proxyProtocol != 0 || personal && x.front != front(x.c):
		x.link.close()
		return
	case personal:
		x.bind(now)
	default:
		x.ep.pool.Put(x.link.conn, now, keptFor(x.resp.Keeps))
	}
	x.link = link{}
}

// keptFor is how long a connection may wait that its endpoint keeps for some seconds (0: it does not
// say): a little less, since a request that crosses the close would be lost, if it is a POST for good.
func keptFor(seconds int64) int64 { return seconds*1e9 - min(seconds*5e8, 1e9) }

// bodyFailure names the endpoint's fault within a body.
func bodyFailure(err error) gateway.Failure {
	var e *http1.Error
	switch {
	case errors.Is(err, errSlowUpstream):
		return gateway.FailureTimeout
	case errors.As(err, &e) && e.Status != 502, errors.Is(err, http2.ErrMalformed):
		return gateway.FailureMalformed
	}
	return gateway.FailureReset
}
