package proxy

import (
	"errors"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/http2"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// expect makes room for an answer's head.
func (x *exchange) expect() {
	x.up.ensure(sizeSmall)
	x.up.n = 0
	x.resp.Reset()
}

// awaitHead reads the answer's head, as far as it is not there yet, and passes on interim ones.
func (x *exchange) awaitHead() error {
	for {
		if x.up.n > 0 {
			done, bad := x.resp.Parse(x.up.filled(), x.req().Method)
			if bad == nil && done {
				bad = x.streamFraming()
			}
			if bad == nil && done {
				if bad = x.acceptable(); bad == nil && x.resp.Interim() {
					if err := x.interim(); err != nil {
						return err
					}
					continue
				}
			}
			switch {
			case bad == errNoUpgrade:
				return bad // the client wants a tunnel where there is none
			case bad != nil:
				x.reason = bad.Class
				return errMalformed
			case done:
				x.headAt = socket.Now()
				return nil
			case !x.up.grow():
				return errMalformed
			}
		}
		if err := x.readUp(); err != nil {
			return err
		}
	}
}

// acceptable refuses a switch of protocols that was not asked for, and endless interim
// answers.
func (x *exchange) acceptable() *http1.Error {
	switch {
	case x.resp.Status == 101 && !(x.req().WebSocket && x.resp.WebSocket):
		return errUnasked
	case x.resp.Status/100 == 2 && x.front.tunnelWanted():
		return errNoUpgrade
	case x.resp.Status == 101 && x.front.tunnelWanted() && !x.keyAnswered():
		return errWrongKey
	case x.resp.Interim():
		x.interimAt = socket.Now()
		if x.interims++; int64(x.interims) > maxInterims+(x.interimAt-x.sentAt)/1e9 {
			return errInterims
		}
	}
	return nil
}

// readUp reads more of the answer's head.
func (x *exchange) readUp() error {
	for by := x.slice(x.sentAt); ; by = x.slice(socket.Now()) {
		n, err := x.link.readHead(x.up.free(), by)
		if err == nil {
			x.up.n += n
			return nil
		}
		if err = x.waitOn(err, max(x.sentAt, x.interimAt)); errors.Is(err, errSlowUpstream) {
			// Time may have passed while this process was stopped, and the answer be there.
			var late error
			if n, late = x.link.readHead(x.up.free(), socket.Now()+lastLook); late == nil {
				x.up.n += n
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
}

// lastLook is for what has come already when time is up.
const lastLook = int64(1e6)

// look is how often a waiting exchange looks whether its client is still there.
const look = int64(1e9)

// slice is when a wait for the endpoint that starts now is interrupted for a look.
func (x *exchange) slice(now int64) int64 {
	at := now + min(look, x.patience)
	if x.deadline > 0 {
		at = min(at, x.deadline)
	}
	return at
}

// waitOn decides after a failed wait for the endpoint: nil to wait on, else what failed.
// since is when the endpoint was last heard of.
func (x *exchange) waitOn(err error, since int64) error {
	if x.uploading() {
		if fault := x.upload.fault(); fault != nil {
			return fault
		}
		since = max(since, x.upload.heard(&x.link))
	}
	switch {
	case errors.Is(err, socket.ErrUnsent):
		return errNoAnswer
	case !errors.Is(err, socket.ErrTimeout):
		switch {
		case errors.Is(err, socket.ErrInterrupted) && x.front.gone():
			return errClientGone
		case errors.Is(err, http2.ErrRefused):
			return errRefused
		case errors.Is(err, http2.ErrMalformed):
			return errMalformed
		case x.deadline > 0 && socket.Now() >= x.deadline: // an endpoint that knows it, from grpc-timeout, may give up a moment before
			return errSlowUpstream
		}
		if errors.Is(err, socket.ErrInterrupted) || x.up.n > 0 || x.interims > 0 {
			return errCut
		}
		return errNoAnswer
	case x.c.killed.Load():
		return errClientGone
	}
	now := socket.Now()
	switch {
	case x.ep.drain.over():
		return errDrained
	case x.deadline > 0 && now >= x.deadline, now-since >= x.patience:
		return errSlowUpstream
	case !x.uploading() && x.front.gone():
		return errClientGone
	}
	return nil
}
