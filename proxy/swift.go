package proxy

import (
	"errors"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// Most requests wait for two things only: to come, and for their answers. A loop of package socket
// can do that for many of them, without a goroutine: it calls Ready of the connection and then of the
// exchange. These read; parsing is a step, and asking or answering is the next, which all that are due
// make before the one after it. Whatever turns out to need more is carried on, from the stage it has come to, by a
// goroutine that may wait.

// stage is a point from which an exchange can be carried on.
type stage uint8

const (
	atFailure stage = iota // the request is refused, or can not be sent
	atFound                // it is known where it goes
	atLimits               // it is ready to be sent
	atChosen               // an endpoint has been chosen
	atSent                 // the endpoint has been asked, or Read will ask it
	atBody                 // a part of the answer has been sent
)

// start serves the request whose first bytes are there.
func (c *conn) start(t socket.Turn) {
	r := &c.in.req
	r.Reset()
	done, bad := r.Parse(c.in.buf.filled(), c.l.Limits)
	if bad != nil || !done || r.WebSocket || !c.bodyThere() || c.in.buf.n == len(c.in.buf.b) {
		go c.carryOn(nil)
		return
	}
	x := c.begin()
	x.prompt, x.turn = true, t
	x.launch()
}

// bodyThere says whether the body has come whole. It takes what has come of one that a buffer has room
// for; the buffer grows only for who has filled it.
func (c *conn) bodyThere() bool {
	r, b := &c.in.req, &c.in.buf
	if r.Framing == http1.NoBody {
		return true
	}
	if r.Framing != http1.Length || r.Length > int64(sizeMax-r.Size) {
		return false
	}
	end := r.Size + int(r.Length)
	for fills := 0; b.n < end && fills < 2*mostFills; fills++ {
		switch {
		case b.n == len(b.b):
			b.ensure(min(end, max(sizeStream, b.n+1)))
		case !c.s.Holds():
			return false
		}
		n := c.s.ReadNow(b.free())
		if n <= 0 {
			return false // whoever waits for more learns why there is none
		}
		b.n += n
	}
	return b.n >= end
}

// carry has the exchange carried on by a goroutine.
func (x *exchange) carry(from stage, err error) {
	c := x.c
	x.prompt, x.turn = false, socket.Turn{}
	go c.carryOn(func() bool { return c.end(x.from(from, err)) })
}

// from carries the exchange on.
func (x *exchange) from(from stage, err error) (again bool) {
	switch from {
	case atFailure:
		return x.fail(err)
	case atFound:
		return x.serve()
	case atLimits:
		return x.pass()
	case atChosen:
		return x.conclude(x.tryOn(x.ask()))
	case atSent:
		err, again := x.hear(0, nil)
		if again {
			err = x.ask()
		}
		return x.conclude(x.tryOn(err))
	default:
		return x.passRest(err)
	}
}

// launch makes the request ready to be sent, as far as that can be done without waiting.
func (x *exchange) launch() {
	if e := x.find(); e != nil {
		x.carry(atFailure, e)
		return
	}
	r := x.rot
	if x.answer != nil || x.route.mirror != nil || r.http2 || r.tls != nil || r.limit != nil || r.proxyProtocol != 0 {
		x.carry(atFound, nil)
		return
	}
	if err := x.prepare(); err != nil {
		x.carry(atFailure, err)
		return
	}
	if !x.whole {
		x.carry(atLimits, nil)
		return
	}
	x.later(toAsk)
}

// step is what an exchange does next while a loop serves it. What all others of a look do as well
// comes first, see [socket.Turn.Later].
type step uint8

const (
	toAsk    step = iota // the endpoint
	toHear               // what it says
	toAnswer             // the client
)

// later has the exchange make a step.
func (x *exchange) later(s step) {
	if x.next = s; !x.turn.Later(x) {
		x.Step(x.turn)
	}
}

// Step implements [socket.Stepper].
func (x *exchange) Step(t socket.Turn) {
	defer x.c.rescue()
	x.turn = t
	switch x.next {
	case toAsk:
		x.askNow()
	case toHear:
		x.heard()
	case toAnswer:
		x.toClient.swift, x.fromUp.swift = true, true
		_, _, _ = x.answerHead() // it fails for streams only
		x.answerOn()
	}
}

// askNow sends the request over a kept connection, and waits for the answer. The connection is taken
// right before, so that it has no time to be closed.
func (x *exchange) askNow() {
	if !x.choose() {
		x.carry(atFailure, errNoEndpoint)
		return
	}
	if !x.takeKept() {
		x.carry(atChosen, nil)
		return
	}
	uc := x.link.conn
	if !uc.Attach() {
		x.link.close()
		x.carry(atChosen, nil)
		return
	}
	x.hold()
	x.expect()
	x.sentAt = x.startedAt
	uc.SetWriteDeadline(x.sentAt + x.c.p.times.write)
	x.toUp.s, x.toUp.stall = uc, x.c.p.times.write
	uc.SetReadDeadline(x.slice(x.sentAt))
	if uc.AskNow(x.toUp.out, x.small) {
		x.listen()
	} else {
		x.carry(atSent, nil)
	}
}

// listen waits for the answer.
func (x *exchange) listen() {
	waits, err := x.link.conn.Watch(x)
	switch {
	case waits:
	case err != nil:
		x.carry(atSent, nil)
	default:
		x.Ready(x.turn)
	}
}

// Ready implements [socket.Watcher] for an exchange that waits for its answer.
func (x *exchange) Ready(t socket.Turn) {
	defer x.c.rescue()
	x.turn = t
	if x.headAt != 0 {
		x.answerOn()
		return
	}
	x.c.s.WritesSoon()
	switch n := x.link.conn.ReadNow(x.up.free()); n {
	case socket.Failed:
		x.carry(atSent, nil)
	case socket.Nothing:
		x.listen()
	default:
		x.up.n += n
		x.later(toHear)
	}
}

// heard looks at the head of the answer.
func (x *exchange) heard() {
	r := &x.resp
	done, bad := r.Parse(x.up.filled(), x.req().Method)
	if bad != nil || !done || r.Interim() || r.Status == 101 || r.Status >= 502 && r.Status <= 504 {
		r.Reset()
		x.carry(atSent, nil)
		return
	}
	x.readOn()
	x.headAt = socket.Now()
	x.later(toAnswer)
}

// readOn takes more of an answer that filled its buffer, so that it leaves as one, if a larger buffer has
// room for all of it.
func (x *exchange) readOn() {
	r, b := &x.resp, &x.up
	if b.n < len(b.b) || r.Framing != http1.Length || r.Length > int64(sizeMax-r.Size) {
		return
	}
	b.ensure(r.Size + int(r.Length))
	if n := x.link.conn.ReadNow(b.free()); n > 0 {
		b.n += n // a failure is seen again
	}
}

// answerOn sends what has come of the answer, and waits for more.
func (x *exchange) answerOn() {
	for {
		x.fromUp.fills = 0
		s, err := x.passBody(&x.toClient, &x.fromUp)
		switch {
		case errors.Is(err, errNothing):
			waits, err := x.link.conn.Watch(x)
			if err != nil {
				x.carry(atBody, err)
			}
			if err != nil || waits {
				return
			}
		case errors.Is(err, errOwed), errors.Is(err, errLong):
			x.carry(atBody, nil)
			return
		default:
			x.c.onward(x.finish(s, err))
			return
		}
	}
}

// passRest ends with waiting what answerOn began. err is how its wait for more ended, if it did.
func (x *exchange) passRest(err error) (again bool) {
	from, w := &x.fromUp, &x.toClient
	from.swift, from.silent = false, false
	w.renew(socket.Now())
	if err := w.repay(); err != nil {
		return x.finish(writeSide, err)
	}
	if err != nil {
		since := from.s.ReadDeadline() - from.quiet
		if err = x.silence(err, since); err != nil {
			return x.finish(readSide, err)
		}
		if s, err := refillSince(w, from, x.silence, since, socket.Now()); s != noSide {
			return x.finish(s, err)
		}
	}
	return x.finish(x.passBody(w, from))
}
