package proxy

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// duplicate is a copy of a request for a route's mirror, and the client's side of the exchange
// that sends it: its body is at hand, and what is answered goes nowhere. Until send or drop,
// which counts once, it belongs to the exchange that it is copied from.
type duplicate struct {
	c          conn // stands for the client's, which may be gone
	mirror     *mirror
	rule       *rule
	req        http1.Request
	text, path []byte
	payload    []byte
	settled    atomic.Bool // sent or dropped
}

func newDuplicate(x *exchange, m *mirror) *duplicate {
	r := x.req()
	d := &duplicate{mirror: m, rule: x.rule, text: bytes.Clone(x.head()[:r.Size]), path: bytes.Clone(x.forward)}
	d.req = *r
	d.req.Fields, d.req.Continue = slices.Clone(r.Fields), false
	to := x.c.destination()
	if !to.IsValid() {
		to = netip.AddrPortFrom(netip.IPv4Unspecified(), 0) // else it would be asked for again
	}
	d.c.p, d.c.l, d.c.shard, d.c.from, d.c.to = x.c.p, x.c.l, x.c.shard, x.c.from, &to
	d.c.trusted, d.c.peerText = x.c.trusted, x.c.peerText
	return d
}

// add takes a piece of the body. It reports false when there is no copy any more.
func (d *duplicate) add(piece []byte) bool {
	if d.settled.Load() {
		return false
	}
	if len(d.payload)+len(piece) > maxMirrored {
		d.drop(mirroredLarge)
		return false
	}
	d.payload = append(d.payload, piece...)
	return true
}

// drop forgets the copy, unless it is sent already.
func (d *duplicate) drop(why mirrored) {
	if d.settled.CompareAndSwap(false, true) {
		d.end(why)
	}
}

func (d *duplicate) end(how mirrored) {
	d.mirror.counts.results[how].Add(1)
	d.mirror.counts.active.Add(-1)
}

// send has the copy sent on a goroutine of its own.
func (d *duplicate) send() {
	if d.settled.CompareAndSwap(false, true) {
		d.c.p.work.Add(1) // the client's request is under way, so Shutdown does not wait for it yet
		go d.run()
	}
}

func (d *duplicate) run() {
	defer d.c.p.work.Done()
	how := mirroredFailed
	x := newExchange(&d.c, d, socket.Now())
	defer func() {
		if d.c.survived(recover()) {
			x.abandon()
		} else {
			x.release()
		}
		d.end(how)
	}()
	x.duplicate, x.rule, x.route, x.forward = true, d.rule, d.rule.route, d.path
	x.target = &target{upstream: d.mirror.upstream}
	x.rot = x.target.upstream.live.Load()
	if x.rot.choosing.policy == byHash {
		x.key = x.hash()
	}
	x.setDeadline()
	x.patience = min(x.patience, mirrorTime)
	if last := x.startedAt + mirrorTime; x.deadline == 0 || x.deadline > last {
		x.deadline = last
	}
	if x.passOn() {
		how = mirroredSent
	}
}

// passOn sends the copy and reports whether it was answered to the end, or to what is read of it.
func (x *exchange) passOn() bool {
	if x.prepare() != nil {
		return false
	}
	defer x.leave()
	if x.enter() != nil || x.try() != nil || x.resp.Status == 101 {
		return false
	}
	return x.deliver()
}

func (d *duplicate) request() *http1.Request { return &d.req }
func (d *duplicate) head() []byte            { return d.text }
func (d *duplicate) body(*exchange) source   { return (*copiedBody)(d) }

func (d *duplicate) gather(x *exchange) error {
	x.small, x.whole = d.payload, true
	return nil
}

func (d *duplicate) proceed() error { return nil }
func (d *duplicate) stop()          {}
func (d *duplicate) resume()        {}

// gone ends waits when the process shuts down: nobody misses a copy.
func (d *duplicate) gone() bool       { return d.c.p.closing.Load() }
func (d *duplicate) watch(*link) bool { return true }
func (d *duplicate) unwatch() bool    { return true }

func (d *duplicate) interim(*exchange) error { return nil }

func (d *duplicate) answer(x *exchange) (sink, error) { return &nowhere{d: d, until: x.deadline}, nil }

func (d *duplicate) refuse(*exchange, *http1.Error) bool { return false }
func (d *duplicate) finish(_ *exchange, whole bool) bool { return whole }
func (d *duplicate) tunnelWanted() bool                  { return false }
func (d *duplicate) tunnel(*exchange) bool               { return false }

// copiedBody is a body that gather has handed over whole.
type copiedBody duplicate

func (b *copiedBody) take() ([]byte, error)            { return nil, nil }
func (b *copiedBody) fill(int64) error                 { return errTruncated }
func (b *copiedBody) over() bool                       { return true }
func (b *copiedBody) more() bool                       { return false }
func (b *copiedBody) trailers() (http1.Fields, []byte) { return nil, nil }
func (b *copiedBody) count() int64                     { return int64(len(b.payload)) }
func (b *copiedBody) long()                            {}

// nowhere is where the answer to a copy goes: it is read, so that the connection can be used
// again, but not for ever.
type nowhere struct {
	d     *duplicate
	n     int64
	until int64
}

var errEnough = errors.New("more of the answer to a copy is not read")

func (w *nowhere) data(p []byte) error {
	w.n += int64(len(p))
	if w.n > maxMirrorAnswer || socket.Now() > w.until || w.d.gone() {
		return errEnough
	}
	return nil
}

func (w *nowhere) last(p []byte, _ http1.Fields, _ []byte) error { return w.data(p) }
func (w *nowhere) flush() error                                  { return nil }
func (w *nowhere) renew(int64)                                   {}
func (w *nowhere) count() int64                                  { return w.n }
