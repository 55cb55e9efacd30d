package proxy

import (
	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// conn is the front of its requests over HTTP/1.1.

func (c *conn) request() *http1.Request { return &c.in.req }

// head is the bytes that the request's spans point into. They may move, spans and all, while
// the body is gathered.
func (c *conn) head() []byte { return c.in.buf.filled() }

func (c *conn) body(x *exchange) source {
	r := &c.in.req
	if r.Framing != http1.NoBody {
		c.s.PaceReads(&c.p.body)
	}
	x.fromClient.start(c.s, &c.in.buf, r.Size, r.Framing, r.Length, x.route.maxBody, c.p.times.body)
	return &x.fromClient
}

// gather waits for a body of a small length, and takes one that is there, and the chunks that have come
// with the head.
func (c *conn) gather(x *exchange) error {
	r, in := &c.in.req, c.in
	switch {
	case r.Continue && in.buf.n == r.Size: // the body comes after our 100
		return nil
	case r.Framing == http1.Length && (r.Length <= smallBody || r.Length <= int64(in.buf.n-r.Size)):
	case r.Framing == http1.ChunkedTE:
		return x.takeChunks()
	default:
		return nil
	}
	end := r.Size + int(r.Length)
	in.buf.ensure(end)
	for in.buf.n < end {
		c.s.SetReadDeadline(socket.Now() + c.p.times.body)
		n, err := c.s.Read(in.buf.free())
		if err != nil {
			return clientFault(err)
		}
		in.buf.n += n
	}
	if _, err := x.body.take(); err != nil {
		return err
	}
	x.small, x.whole = in.buf.b[r.Size:end], true
	return nil
}

func (c *conn) proceed() error {
	if c.in.buf.n > c.in.req.Size {
		return nil // it did not wait
	}
	_, err := c.s.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	return err
}

func (c *conn) stop()   { c.s.Interrupt() }
func (c *conn) resume() { c.s.Resume() }

func (c *conn) gone() bool       { return c.killed.Load() || c.s.Gone() }
func (c *conn) watch(*link) bool { return true }
func (c *conn) unwatch() bool    { return true }

func (c *conn) interim(x *exchange) error {
	if c.in.req.Minor == 0 {
		return nil // HTTP/1.0 knows none
	}
	w := &x.toClient
	w.out = append(x.responseHead(w.out[:0]), '\r', '\n')
	return w.flush()
}

// answer queues the head; it leaves with the first piece of the body.
func (c *conn) answer(x *exchange) (sink, error) {
	r, w := &c.in.req, &x.toClient
	x.again = r.KeepAlive() && x.bodyRead() && !c.p.closing.Load() && !r.WebSocket // what comes next may be meant for the tunnel that is none
	w.chunked = r.Minor == 1 && (x.resp.Framing == http1.ChunkedTE || x.resp.Framing == http1.UntilClose)
	if x.resp.Framing != http1.NoBody && x.resp.Framing != http1.Length && !w.chunked {
		x.again = false // HTTP/1.0 finds the end by the close
	}
	w.out = x.route.response.append(x.responseHead(w.out[:0]))
	if !x.resp.HasDate {
		w.out = append(w.out, *c.p.date.Load()...)
	}
	if w.chunked {
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
	w.out = append(w.out, c.connectionField(x.again)...)
	w.out = append(w.out, '\r', '\n')
	c.s.SetWriteDeadline(x.headAt + w.stall)
	c.s.PaceWrites(&c.p.send)
	return w, nil
}

// responseHead appends the status line and the fields that the client gets, without the
// empty line.
func (x *exchange) responseHead(dst []byte) []byte {
	r, b := &x.resp, x.up.filled()
	dst = http1.AppendStatus(dst, r.Status, r.Reason.Of(b))
	return http1.AppendFields(dst, b, r.Fields, func(i int) bool { return x.passes(i, x.toClient.chunked) })
}

// passes says whether a field of the answer is for the client. chunked: the client's side has
// room for trailers.
func (x *exchange) passes(i int, chunked bool) bool {
	r := &x.resp
	k := r.Fields[i].Key
	if x.route.response != nil && x.editAnswer().drops(r.Fields[i].Name.Of(x.up.filled())) {
		return false
	}
	if k == http1.KeyOther && !r.Options.Named {
		return true
	}
	noLength := r.Status < 200 || r.Status == 204
	if dropResponse[k] || noLength && k == http1.KeyContentLength || k == http1.KeyTrailer && !chunked {
		return false
	}
	b := x.up.filled()
	return !r.Options.Named || k == http1.KeyContentLength || !r.Fields.NamedBy(b, r.Fields[i].Name.Of(b))
}

// refuse keeps the connection unless the mistake was the client's, since it is then unclear
// where the next request starts, or a body is still on its way.
func (c *conn) refuse(x *exchange, e *http1.Error) bool {
	fixed := x.fixed(e)
	again := !x.headless && (fixed != nil || e.Status != 400 && e.Status != 408 && e.Status != 413 && e.Status != 417 && e.Status != 421) &&
		x.bodyRead() && c.in.req.KeepAlive() && !c.in.req.WebSocket && !c.p.closing.Load()
	var text []byte
	b := http1.AppendStatus(x.toClient.out[:0], e.Status, []byte(statusText(e.Status)))
	if fixed != nil {
		text = fixed.body
		b = x.fixedFields(b, fixed)
	} else {
		text = x.ownText(e)
		b = x.ownFields(b, e, len(text))
	}
	b = append(append(b, c.connectionField(again)...), '\r', '\n')
	if x.headless || c.in.req.Method != http1.MethodHead {
		b = append(b, text...)
	}
	x.toClient.out = b
	now := socket.Now()
	c.s.SetWriteDeadline(now + c.p.times.write)
	_, err := c.s.Write(b)
	x.account(now)
	if !again {
		if err == nil {
			c.linger()
		}
		return false
	}
	x.consume()
	return err == nil
}

func (c *conn) finish(x *exchange, whole bool) bool {
	if !whole {
		c.s.Abort() // a part of the body is missing, and the client has to see that
		return false
	}
	if !x.again {
		c.linger() // the client may be sending, and a reset would take the answer away from it
		return false
	}
	x.consume()
	return true
}

// consume drops the request from the buffer; what is left belongs to the next one.
func (x *exchange) consume() {
	pos := x.req().Size
	if x.fromClient.buf != nil {
		pos = x.fromClient.pos
	}
	x.c.in.buf.drop(pos)
}

// connectionField tells the client whether the connection stays.
func (c *conn) connectionField(again bool) string {
	switch {
	case !again:
		return "Connection: close\r\n"
	case c.in.req.Minor == 0:
		return "Connection: keep-alive\r\n"
	}
	return ""
}

// tunnelWanted is never so: over HTTP/1.1 only a 101 opens a tunnel.
func (c *conn) tunnelWanted() bool { return false }

// tunnel passes on the 101 and what came behind the heads.
func (c *conn) tunnel(x *exchange) bool {
	w := &x.toClient
	w.out = x.route.response.append(x.responseHead(w.out[:0]))
	w.out = append(w.out, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"...)
	w.out = append(w.out, x.up.b[x.resp.Size:x.up.n]...)
	err := w.flush()
	if early := c.in.buf.b[c.in.req.Size:c.in.buf.n]; err == nil && len(early) > 0 {
		_, err = x.link.conn.Write(early)
	}
	return err == nil && c.becomeTunnel(x)
}
