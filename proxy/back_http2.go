package proxy

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for it
	"encoding/base64"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/http2"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// streamPool holds the HTTP/2 connections to one endpoint. Requests share them; a further one
// is opened when the endpoint takes no more streams on those that are there.
type streamPool struct {
	mu      sync.Mutex
	conns   []*http2.Conn // guarded by mu
	opening *opening      // guarded by mu; nil: none
	closed  bool          // guarded by mu
}

// opening is a connection that is being opened, for all who wait for one.
type opening struct {
	done chan struct{}
	err  error // why there is none, for all of them; read after done
}

// pick returns the connection with the fewest streams among those with room. Without one it
// returns what to wait for, or nothing: then the caller opens one, and says so by opened.
func (p *streamPool) pick() (*http2.Conn, *opening) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *http2.Conn
	least := 0
	p.conns = slices.DeleteFunc(p.conns, func(c *http2.Conn) bool {
		open, room := c.Load()
		if room && (best == nil || open < least) {
			best, least = c, open
		}
		return !c.Alive()
	})
	if best != nil {
		return best, nil
	}
	if p.opening == nil {
		p.opening = &opening{done: make(chan struct{})}
		return nil, nil
	}
	return nil, p.opening
}

// opened ends the wait of others. c is nil when there is no connection; err is why they need not look for it.
func (p *streamPool) opened(c *http2.Conn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opening.err = err
	close(p.opening.done)
	p.opening = nil
	switch {
	case c == nil:
	case p.closed:
		c.Drain()
	default:
		p.conns = append(p.conns, c)
	}
}

// close lets the streams finish that are open, and closes their connections then.
func (p *streamPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.conns {
		c.Drain()
	}
	p.conns = nil
}

// openStream gives x.link a stream and sends the request's head on it. Connections may fill up or
// close under our hands. Who waits for one goes on while others find their place, since an endpoint may
// take few streams on each, but no longer than for an answer.
func (x *exchange) openStream() error {
	end, since := x.whole && len(x.small) == 0 && !x.hasTrailers(), int64(0)
	for tries := 0; tries < 8; {
		hc, wait := x.ep.streams.pick()
		if wait != nil {
			since = cmp.Or(since, socket.Now())
			if err := x.waitFor(wait, since); err != nil {
				return err
			}
			continue
		}
		var err error
		if x.reused = hc != nil; x.reused {
			x.link.stream, err = hc.Open(x.block, end, x.req().Method == http1.MethodHead)
		} else {
			x.link.stream, err = x.openOnNew(end)
			tries++
		}
		if err == nil || !errors.Is(err, http2.ErrBusy) && !errors.Is(err, http2.ErrClosed) {
			return err
		}
	}
	return errNoAnswer
}

// waitFor waits until somebody else has opened a connection, or has not. since is when the exchange
// began to wait for one.
func (x *exchange) waitFor(o *opening, since int64) error {
	by := since + x.rot.response
	if x.deadline > 0 {
		by = min(by, x.deadline)
	}
	timer := time.NewTimer(time.Duration(by - socket.Now()))
	defer timer.Stop()
	select {
	case <-o.done:
	case <-timer.C:
		return errSlowUpstream
	}
	switch {
	case o.err != nil:
		x.sentAt, x.reason = since, errorClass(o.err)
		x.report(gateway.FailureConnect)
		return o.err
	case x.ep.drain.over():
		return errDrained
	case x.front.gone():
		return errClientGone
	}
	return nil
}

// openOnNew opens a connection for all who wait for one, and the first stream on it. The others
// follow when the endpoint has said how many it takes.
func (x *exchange) openOnNew(end bool) (*http2.Stream, error) {
	p, told := &x.ep.streams, error(errConnect) // also of a panic
	var hc *http2.Conn
	defer func() {
		if hc == nil {
			p.opened(nil, told)
			return
		}
		go func() {
			hc.AwaitSettings(settingsWait)
			if hc.Alive() {
				told = nil
			}
			p.opened(hc, told)
		}()
	}()
	s, err := x.connect()
	if err != nil {
		if told = err; x.deadline > 0 && socket.Now() >= x.deadline {
			told = nil // others may have more time
		}
		return nil, err
	}
	hc = http2.NewClient(s, http2.Config{Idle: orDefault(x.rot.from.Timeouts.Idle, 0), Stall: x.c.p.cfg.WriteTimeout})
	go func() { _ = hc.Run(nil) }() // its streams learn how it ended
	return hc.Open(x.block, end, x.req().Method == http1.MethodHead)
}

// settingsWait is how long those who wait for a connection leave it to the first one, when the
// endpoint does not say how many it takes.
const settingsWait = time.Second

func (x *exchange) hasTrailers() bool {
	if x.req().Framing == http1.NoBody {
		return false
	}
	trailers, _ := x.body.trailers()
	return len(trailers) > 0
}

// sendStream sends what follows the head, or has an upload send it.
func (x *exchange) sendStream() (int, error) {
	w := &x.toUpStream
	*w = streamSink{st: x.link.stream, stall: x.c.p.times.write, block: w.block}
	if !x.whole {
		if err := w.data(x.small); err != nil {
			return 1, x.sendFault(err)
		}
		return 1, x.startUpload()
	}
	if len(x.small) == 0 && !x.hasTrailers() {
		return 1, nil
	}
	var trailers http1.Fields
	var b []byte
	if x.req().Framing != http1.NoBody {
		trailers, b = x.body.trailers()
	}
	return 1, x.sendFault(w.last(x.small, trailers, b))
}

// sendFault says what a failed write on a stream means. A reset by the endpoint may come
// behind an answer: reading tells.
func (x *exchange) sendFault(err error) error {
	switch {
	case err == nil, errors.Is(err, http2.ErrReset):
		return nil
	case errors.Is(err, http2.ErrRefused):
		return errRefused
	}
	return errNoAnswer
}

// requestBlock appends the head that an endpoint gets which speaks HTTP/2.
func (x *exchange) requestBlock(dst []byte) []byte {
	r, b := x.req(), x.head()
	path := x.forward
	if r.Asterisk {
		path = []byte("*")
	} else if x.route.rewrite.active || !r.Query.Empty() {
		x.gatheredPath = append(x.appendPath(x.gatheredPath[:0], &x.route.rewrite), r.Query.Of(b)...)
		path = x.gatheredPath
	}
	x.lines = x.appendAuthority(x.lines[:0])
	dst = http2.AppendRequest(dst, r.MethodText.Of(b), []byte(x.rot.scheme), x.lines, path)
	for i := range r.Fields {
		if f := &r.Fields[i]; x.forwards(i) {
			dst = http2.AppendField(dst, f.Name.Of(b), f.Value.Of(b))
		}
	}
	if r.Trailers {
		dst = http2.AppendField(dst, []byte("te"), []byte("trailers"))
	}
	x.lines = x.appendForwarded(x.route.request.append(x.lines[:0]))
	return appendLines(dst, x.lines)
}

// streamFraming says how the end of an answer is found that came on a stream: by the end of
// the stream.
func (x *exchange) streamFraming() *http1.Error {
	st := x.link.stream
	if st == nil || x.resp.Interim() {
		return nil
	}
	switch {
	case x.resp.Status == 101:
		return errUnasked
	case st.Ended && x.resp.Framing == http1.Length:
		return errShort
	case st.Ended:
		x.resp.Framing = http1.NoBody
	case x.resp.Framing == http1.UntilClose:
		x.resp.Framing = http1.ChunkedTE
	}
	return nil
}

// keyAnswered says whether a 101 answers the key of a tunnel that the client asked for over
// HTTP/2. The key is Sluice's own, so nobody else can look (RFC 6455 section 4.1).
func (x *exchange) keyAnswered() bool {
	key := onlyValue(x.req().Fields, x.head(), "sec-websocket-key")
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return key != "" && onlyValue(x.resp.Fields, x.up.filled(), "sec-websocket-accept") == base64.StdEncoding.EncodeToString(sum[:])
}

// onlyValue is the value of a field that must be there once, else "".
func onlyValue(all http1.Fields, b []byte, name string) (value string) {
	n := 0
	for i := range all {
		if http1.EqualFold(all[i].Name.Of(b), []byte(name)) {
			value, n = string(all[i].Value.Of(b)), n+1
		}
	}
	if n != 1 {
		return ""
	}
	return value
}
