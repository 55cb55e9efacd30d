package proxy

import (
	"bytes"
	"errors"
	"runtime"
	"sync"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/http2"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// preface is what an HTTP/2 client sends first (RFC 9113 section 3.4), also on a connection
// without TLS when it knows that the server speaks HTTP/2.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// serveHTTP2 serves the connection as HTTP/2 to its end. first is what was read from it.
func (c *conn) serveHTTP2(first []byte) {
	t := &c.p.cfg
	h := http2.NewServer(c.s, http2.Config{Idle: t.IdleTimeout, Frame: t.HeaderTimeout, Stall: t.WriteTimeout, Sends: c.p.send}, c.serveStream)
	c.h2.Store(h)
	c.state.Store(connActive)
	if c.p.closing.Load() {
		h.Drain()
	}
	if err := h.Run(first); http2.CodeOf(err) != http2.NoError {
		c.p.cfg.Log.Debug("HTTP/2 connection ended for a fault", "client", c.peer(), "err", err)
		c.p.faults.count(http2.CodeOf(err))
	}
}

// streamFront is a stream of an HTTP/2 connection as the client's side of an exchange.
type streamFront struct {
	c    *conn
	st   *http2.Stream
	req  http1.Request
	in   streamSource
	out  streamSink
	text []byte // of fields of Sluice's own
}

var fronts = sync.Pool{New: func() any { return new(streamFront) }}

// serveStream answers the request of one stream.
func (c *conn) serveStream(st *http2.Stream) {
	if !c.served.Load() {
		c.served.Store(true)
	}
	f := fronts.Get().(*streamFront)
	f.c, f.st = c, st
	f.out = streamSink{st: st, stall: c.p.times.write, block: f.out.block[:0]}
	if !st.Ended {
		runtime.Gosched() // what came behind the head may be the whole body
	}
	x := newExchange(c, f, socket.Now())
	x.prompt = true
	defer func() {
		if c.survived(recover()) {
			x.abandon() // and nothing of it is used again
			return
		}
		x.release()
		f.release()
	}()
	if e := f.parse(); e != nil {
		x.headless = true
		x.refuse(e)
		return
	}
	x.run()
}

// parse has the parser of HTTP/1.1 judge the request.
func (f *streamFront) parse() *http1.Error {
	f.req.Reset()
	if f.st.TooLarge {
		return http1.ErrHeadTooLarge
	}
	r := &f.req
	if _, bad := r.Parse(f.st.Head(), f.c.l.Limits); bad != nil {
		return bad
	}
	if f.st.Tunnel {
		if !r.WebSocket {
			return errProtocol
		}
		return nil
	}
	if f.st.Ended || r.Framing != http1.NoBody {
		return nil
	}
	r.Framing = http1.ChunkedTE // of a length that only the end tells
	for i := range r.Fields {
		switch r.Fields[i].Key {
		case http1.KeyContentLength:
			r.Framing = http1.Length // of 0: what comes must be the end, or the request is malformed
		case http1.KeyExpect:
			r.Continue = true // which Parse, seeing no body, took for nothing to wait with
		}
	}
	return nil
}

func (f *streamFront) release() {
	f.req.Reset()
	keep := streamFront{req: f.req, text: modest(f.text)}
	keep.in.tail.Trailers = f.in.tail.Trailers[:0]
	keep.out.block = modest(f.out.block)
	*f = keep
	fronts.Put(f)
}

func (f *streamFront) request() *http1.Request { return &f.req }
func (f *streamFront) head() []byte            { return f.st.Head() }

func (f *streamFront) body(x *exchange) source {
	quiet, pace := f.c.p.times.body, &f.c.p.body
	if x.call && f.req.Framing != http1.Length {
		quiet, pace = forever, nil // it may have come to listen
	}
	f.in.start(f.st, x.route.maxBody, quiet)
	f.in.meter = socket.NewMeter(pace)
	return &f.in
}

// gather waits for a body of a small length, and takes what has come of any other.
func (f *streamFront) gather(x *exchange) error {
	if f.req.Continue {
		return nil
	}
	for {
		if err := f.more(x); err != nil {
			return clientFault(err)
		}
		if x.whole || f.req.Framing != http1.Length || f.req.Length > smallBody {
			return nil
		}
		if err := f.in.fill(socket.Now()); err != nil {
			return clientFault(err)
		}
	}
}

// more adds what has come to what was gathered, unless it is a part of much, which is streamed.
func (f *streamFront) more(x *exchange) error {
	for len(x.gathered) < smallBody {
		if n, all := f.st.Came(); !all && max(int64(n), f.req.Length) > smallBody {
			return nil
		}
		piece, err := f.in.take()
		if err != nil {
			return err
		}
		if f.in.ended && len(x.gathered) == 0 {
			x.small = piece // nobody waits for more, so it stays
		} else {
			x.gathered = append(x.gathered, piece...)
			x.small = x.gathered
		}
		if f.in.ended {
			x.whole = true
			return nil
		}
		if len(piece) == 0 {
			return nil
		}
	}
	return nil
}

func (f *streamFront) proceed() error {
	return f.st.SendHead(http2.AppendStatus(nil, 100), false, f.out.stall)
}

func (f *streamFront) stop()   { f.st.Interrupt() }
func (f *streamFront) resume() {} // nothing more is read from this stream

func (f *streamFront) gone() bool         { return f.st.Err() != nil }
func (f *streamFront) watch(l *link) bool { return f.st.OnReset(l) }
func (f *streamFront) unwatch() bool      { return f.st.OnReset(nil) }

func (f *streamFront) interim(x *exchange) error {
	f.out.block = f.appendAnswer(x, f.out.block[:0])
	return f.st.SendHead(f.out.block, false, f.out.stall)
}

// appendAnswer appends the block of the answer's head.
func (f *streamFront) appendAnswer(x *exchange, dst []byte) []byte {
	r, b := &x.resp, x.up.filled()
	status := r.Status
	if status == 101 {
		status = 200 // RFC 8441 section 5
	}
	dst = http2.AppendStatus(dst, status)
	for i := range r.Fields {
		if x.passes(i, true) && r.Fields[i].Key != http1.KeyUpgrade {
			dst = http2.AppendField(dst, r.Fields[i].Name.Of(b), r.Fields[i].Value.Of(b))
		}
	}
	if e := x.editAnswer(); e != nil {
		dst = appendLines(dst, e.lines)
	}
	return dst
}

func (f *streamFront) answer(x *exchange) (sink, error) {
	f.out.block = f.appendAnswer(x, f.out.block[:0])
	if !x.resp.HasDate {
		f.text = append(f.text[:0], *f.c.p.date.Load()...)
		f.out.block = appendLines(f.out.block, f.text)
	}
	f.out.done = x.resp.Framing == http1.NoBody
	return &f.out, f.st.SendHead(f.out.block, f.out.done, f.out.stall)
}

// appendLines appends fields that stand as lines of HTTP/1.1.
func appendLines(dst, lines []byte) []byte {
	for len(lines) > 0 {
		line, rest, _ := bytes.Cut(lines, []byte("\r\n"))
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok {
			dst = http2.AppendField(dst, name, value)
		}
		lines = rest
	}
	return dst
}

func (f *streamFront) refuse(x *exchange, e *http1.Error) bool {
	defer func() { x.account(socket.Now()) }()
	if e == errMisdirected && f.c.outdated(f.c.p.live.Load().certs) {
		f.c.h2.Load().Drain() // a client that keeps the connection would get nothing else
	}
	if e == errRefused && x.call { // with its body under way: clients of gRPC make such a call again, RFC 9113 section 8.7
		f.st.Reset(http2.Refused)
		return false
	}
	if !x.headless && x.fixed(e) == nil && isGRPC(&f.req, f.head()) {
		f.out.block = f.appendStatus(x, e)
		return f.st.SendHead(f.out.block, true, f.out.stall) == nil
	}
	var text []byte
	if fixed := x.fixed(e); fixed != nil {
		text = fixed.body
		f.text = x.fixedFields(f.text[:0], fixed)
	} else {
		text = x.ownText(e)
		f.text = x.ownFields(f.text[:0], e, len(text))
	}
	f.out.block = appendLines(http2.AppendStatus(f.out.block[:0], e.Status), f.text)
	bodyless := f.req.Method == http1.MethodHead || len(text) == 0
	err := f.st.SendHead(f.out.block, bodyless, f.out.stall)
	if err == nil && !bodyless {
		err = f.st.Send(text, true, f.out.stall)
	}
	return err == nil
}

func (f *streamFront) finish(_ *exchange, whole bool) bool {
	if !whole { // a part of the body is missing, and the client has to see that
		code := http2.Internal
		if f.out.late {
			code = http2.CalmDown // as it was its own doing
		}
		f.st.Reset(code)
	}
	return whole
}

func (f *streamFront) tunnelWanted() bool { return f.st.Tunnel }

func (f *streamFront) tunnel(x *exchange) bool {
	f.st.PaceSends(nil)
	f.out.block = f.appendAnswer(x, f.out.block[:0])
	err := f.st.SendHead(f.out.block, false, f.out.stall)
	if early := x.up.b[x.resp.Size:x.up.n]; err == nil && len(early) > 0 {
		err = f.st.Send(early, false, f.out.stall)
	}
	if err != nil {
		return false
	}
	t := &streamTunnel{st: f.st, conn: x.link.conn, stall: f.out.stall}
	if err := t.run(x); err != nil && !errors.Is(err, socket.ErrInterrupted) {
		f.st.Reset(http2.Cancel)
	}
	return false
}
