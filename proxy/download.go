package proxy

import (
	"errors"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// maxInterims bounds the 1xx answers to one request.
const maxInterims = 16

// interim passes a 1xx answer on. 100 is Sluice's own to give, and HTTP/1.0 knows none.
func (x *exchange) interim() error {
	if x.resp.Status != 100 && x.req().Minor == 1 {
		w := &x.toClient
		w.out = x.responseHead(w.out[:0])
		w.out = append(w.out, '\r', '\n')
		if err := w.flush(); err != nil {
			return errClientGone
		}
	}
	x.up.drop(x.resp.Size)
	x.resp.Reset()
	return nil
}

// responseHead appends the status line and the fields that the client gets, without the
// empty line.
func (x *exchange) responseHead(dst []byte) []byte {
	r, b := &x.resp, x.up.filled()
	dst = http1.AppendStatus(dst, r.Status, r.Reason.Of(b))
	noLength := r.Status < 200 || r.Status == 204
	return http1.AppendFields(dst, b, r.Fields, func(i int) bool {
		k := r.Fields[i].Key
		if k == http1.KeyOther && !r.Options.Named {
			return true
		}
		if dropResponse[k] || noLength && k == http1.KeyContentLength || k == http1.KeyTrailer && !x.toClient.chunked {
			return false
		}
		return !r.Options.Named || k == http1.KeyContentLength || !r.Fields.NamedBy(b, r.Fields[i].Name.Of(b))
	})
}

// deliver sends the answer to the client and reports whether the connection can take
// another request.
func (x *exchange) deliver() bool {
	r, w := x.req(), &x.toClient
	again := r.KeepAlive() && x.bodyRead() && !x.c.p.closing.Load() && !(r.WebSocket && x.c.in.buf.n > r.Size)
	w.chunked = r.Minor == 1 && (x.resp.Framing == http1.ChunkedTE || x.resp.Framing == http1.UntilClose)
	if x.resp.Framing != http1.NoBody && x.resp.Framing != http1.Length && !w.chunked {
		again = false // HTTP/1.0 finds the end by the close
	}
	w.out = x.responseHead(w.out[:0])
	if !x.resp.HasDate {
		w.out = append(w.out, *x.c.p.date.Load()...)
	}
	if w.chunked {
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
	w.out = append(w.out, x.connectionField(again)...)
	w.out = append(w.out, '\r', '\n')
	x.c.s.SetWriteDeadline(x.headAt + w.stall)
	x.c.s.PaceWrites(x.c.p.send)
	x.status = x.resp.Status

	s, err := noSide, error(nil)
	x.answer.start(x.uc, &x.up, x.resp.Size, x.resp.Framing, x.resp.Length, 0, min(look, x.rot.response))
	if x.resp.Framing == http1.NoBody {
		if err = w.flush(); err != nil {
			s = writeSide
		}
	} else {
		s, err = pipe(w, &x.answer, x.silence, nothing, nothing)
	}
	return x.finish(s, err, again)
}

func nothing() {}

// silence judges a failed wait for more of the answer's body.
func (x *exchange) silence(err error, since int64) error {
	if !errors.Is(err, socket.ErrTimeout) {
		if x.uploading() {
			if fault := x.upload.fault(); fault != nil {
				return fault
			}
		}
		return err
	}
	return x.waitOn(err, since)
}

// finish ends an exchange whose answer has been sent, in whole or in part.
func (x *exchange) finish(s side, err error, again bool) bool {
	sentAll := x.stopUpload()
	now := x.headAt
	if x.answer.total > sizeSmall {
		now = socket.Now()
	}
	x.ep.inFlight.Add(-1)
	if s == noSide && sentAll && x.resp.KeepAlive() && x.answer.pos == x.up.n && x.rot.proxyProtocol == 0 {
		x.ep.pool.Put(x.uc, now)
	} else {
		_ = x.uc.Close()
	}
	x.uc = nil
	switch {
	case s == noSide:
		x.report("")
	case s == writeSide, errors.Is(err, errClientGone):
		x.aborted = true
		x.ep.outcomes[outcomeAborted].Add(1)
	default:
		x.report(bodyFailure(err))
	}
	x.account(now)
	if s != noSide {
		// A part of the body is missing, and the client has to see that.
		x.c.s.Abort()
		return false
	}
	if !again {
		if !x.bodyRead() {
			x.c.linger()
		}
		return false
	}
	x.consume()
	return true
}

// bodyFailure names the endpoint's fault within a body.
func bodyFailure(err error) gateway.Failure {
	var e *http1.Error
	switch {
	case errors.Is(err, errSlowUpstream):
		return gateway.FailureTimeout
	case errors.As(err, &e) && e.Status != 502:
		return gateway.FailureMalformed
	}
	return gateway.FailureReset
}

// consume drops the request from the buffer; what is left belongs to the next one.
func (x *exchange) consume() {
	pos := x.req().Size
	if x.body.buf != nil {
		pos = x.body.pos
	}
	x.c.in.buf.drop(pos)
}
