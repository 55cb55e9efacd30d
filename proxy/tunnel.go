package proxy

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// tunnel passes on the 101 that the client asked for and then two streams of bytes. A
// snapshot swap does not touch them.
func (x *exchange) tunnel() bool {
	x.status = 101
	x.report("")
	if !x.front.tunnel(x) {
		x.endTunnel()
	}
	return false
}

// endTunnel ends the exchange behind a tunnel that is over.
func (x *exchange) endTunnel() {
	x.endProgress()
	x.link.close()
	x.letGo()
	x.account(socket.Now())
}

// tunnel is an exchange that has become two streams of bytes, between sockets. Loops serve it, so a silent
// one has neither goroutines nor buffers.
type tunnel struct {
	c *conn
	x *exchange

	mu       sync.Mutex // held by who reads or writes, or ends it; nobody waits while he holds it
	up, down way        // guarded by mu
	bye      farewell   // guarded by mu; what the client is told when the endpoint goes away
	wanted   bool       // guarded by mu: it is to be told
	over     bool       // guarded by mu
}

// way is one direction of a tunnel. It waits for one thing at a time: bytes of src, or room at dst.
type way struct {
	t        *tunnel
	src, dst *socket.Conn // never change
	buf      []byte       // may hold what dst had no room for; nil: nothing
	came     int          // how much of it has come and is to be sent
	drained  bool         // src had nothing more at the last look
	owes     bool         // dst had no room for something
	ended    bool         // src has sent everything
	done     bool         // and dst knows
	moved    int64        // bytes
}

// becomeTunnel makes the connection a tunnel to the endpoint of its exchange, as soon as whoever serves it
// now leaves it (startTunnel). Both heads, and what came with them, have been passed on.
func (c *conn) becomeTunnel(x *exchange) bool {
	uc := x.link.conn
	if !c.p.conns.attach(c) || !uc.Attach() {
		return false // there are no descriptors left
	}
	t := &tunnel{c: c, x: x}
	t.bye.frames.pass(x.up.b[x.resp.Size:x.up.n])
	t.up = way{t: t, src: c.s, dst: uc}
	t.down = way{t: t, src: uc, dst: c.s}
	for _, s := range []*socket.Conn{c.s, uc} {
		s.SetReadDeadline(0)
		s.PaceReads(nil)
		s.PaceWrites(&c.p.takes)
	}
	// What is left of the heads is what the access log needs.
	x.up.release()
	x.toUp.out, x.toClient.out, x.scratch = nil, nil, nil
	head := bytes.Clone(c.head()[:c.in.req.Size])
	c.in.buf.release()
	c.in.buf = buffer{head, len(head)}
	c.became = t
	return true
}

// startTunnel leaves a connection that has become a tunnel to the loops, and reports false when it has
// not. The caller must not touch it any more.
func (c *conn) startTunnel() bool {
	t := c.became
	if t == nil {
		return false
	}
	t.x.enlist(t)
	up, down := true, true
	for up || down { // in turns: either may go on for long
		up = up && t.up.pass(&socket.Turn{}, 0)
		down = down && t.down.pass(&socket.Turn{}, 0)
	}
	return true
}

// Ready implements [socket.Watcher].
func (w *way) Ready(turn socket.Turn) {
	for w.pass(&turn, 0) {
	}
}

// Step implements [socket.Stepper].
func (w *way) Step(turn socket.Turn) {
	for w.pass(&turn, 1) {
	}
}

// pass passes on what there is, and waits for more. reads is how often it has read in this turn. again:
// there is more, and others have had no turn.
func (w *way) pass(turn *socket.Turn, reads int) (again bool) {
	t := w.t
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() {
		if panicked := recover(); panicked != nil {
			t.over = true
			t.x.strike(t)
			t.x.leave()
			t.c.close(panicked)
		}
	}()
	for !t.over {
		var waits bool
		var err error
		switch {
		case t.c.killed.Load():
			err = errClientGone
		case w.owes:
			waits, err = w.flush()
		case w.came > 0:
			w.send(w.buf[:w.came])
			w.came = 0
		case w.ended:
			err = w.end()
			waits = w.done
		case reads == mostFills:
			w.release()
			return !turn.Again(w)
		default:
			reads++
			if waits, err = w.read(); w.came > 0 && reads == 1 && turn.Later(w) {
				return false // all read before one sends, see [socket.Turn.Later]
			}
		}
		switch {
		case err != nil, t.up.done && t.down.done:
			t.end()
		case waits:
			return false
		}
	}
	return false
}

// flush writes what dst had no room for, as far as it has now.
func (w *way) flush() (waits bool, err error) {
	done, err := w.dst.FlushNow()
	if err != nil || !done {
		if err == nil {
			waits, err = w.dst.WatchRoom(w)
		}
		return waits, err
	}
	w.owes = false
	if w.t.wanted && !w.ended {
		w.send(nil)
	}
	return false, nil
}

// end tells dst that nothing more comes.
func (w *way) end() error {
	w.release()
	done, err := w.dst.CloseWriteNow()
	w.done, w.owes = done, !done
	return err
}

// read takes what src sent, or waits for it.
func (w *way) read() (waits bool, err error) {
	if w.drained {
		w.drained = false
		w.release()
		return w.src.Watch(w)
	}
	if w.buf == nil {
		w.buf = getBytes(sizeSmall)
	}
	switch n := w.src.ReadNow(w.buf); n {
	case socket.Nothing:
		w.drained = true
	case socket.Failed:
		if err := w.src.Failure(); !errors.Is(err, io.EOF) {
			return false, err
		}
		w.ended = true
	default:
		w.drained = n < len(w.buf) && !w.src.Holds()
		w.moved += int64(n)
		w.came = n
	}
	return false, nil
}

// send writes p, as far as there is room.
func (w *way) send(p []byte) {
	t := w.t
	var last []byte
	if w == &t.down {
		p, last = t.bye.pass(p, t.wanted)
	}
	if len(p)+len(last) > 0 {
		w.dst.SetWriteDeadline(socket.Now() + t.c.p.times.write)
		w.owes = !w.dst.WriteNow(p, last)
	}
}

// release gives the buffer back.
func (w *way) release() {
	if w.buf != nil {
		putBytes(w.buf)
		w.buf = nil
	}
}

// end ends the tunnel. mu is held.
func (t *tunnel) end() {
	t.over = true
	x := t.x
	x.strike(t)
	x.tunnelled = t.down.moved
	x.endTunnel()
	x.leave()
	t.c.close(nil)
	t.up.release()
	t.down.release()
}

// ask tells the client that its endpoint goes away, once no frame is on its way.
func (t *tunnel) ask() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wanted = true; !t.over && !t.down.owes && !t.down.ended {
		t.down.send(nil) // what there is no room for goes out with what the endpoint sends next
	}
}

// cut ends the tunnel.
func (t *tunnel) cut() {
	for _, s := range []*socket.Conn{t.up.src, t.up.dst} {
		s.Interrupt()
		s.InterruptWrite()
	}
}
