package proxy

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// errDrained: the endpoint left, and the exchange did not end within the drain time.
var errDrained = &http1.Error{Status: 503, Class: "drained", Text: "the endpoint has left, and did not answer in its drain time"}

// drain is how an endpoint that leaves is let go, and how the proxy itself ends its tunnels. An endpoint
// gets no new request then; what is under way may end by itself for a time. Then tunnels are asked to
// end, and a last call later all that is left is cut. The zero value is of who stays.
type drain struct {
	time atomic.Int64 // how long exchanges may go on, nanoseconds
	last atomic.Int64 // when they are cut; 0: the endpoint stays

	mu      sync.Mutex
	tunnels map[leaving]struct{} // guarded by mu
	timer   *time.Timer          // guarded by mu; nil: there is nobody to ask
	ask     int64                // guarded by mu: when tunnels are asked to end
	severed int                  // guarded by mu: how many were cut
}

// lastCall is the time between asking and cutting.
func lastCall(after time.Duration) time.Duration {
	return min(max(after/10, time.Second), 10*time.Second)
}

// leave begins the drain, unless it has begun.
func (d *drain) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := time.Duration(d.time.Load())
	if after == 0 || d.last.Load() != 0 {
		return
	}
	d.ask = socket.Now() + int64(after)
	d.last.Store(d.ask + int64(lastCall(after)))
	d.arm()
}

// stay takes leave back, and returns how many tunnels were cut. Those that were asked to end do so all the
// same.
func (d *drain) stay() (severed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	severed, d.severed = d.severed, 0
	d.last.Store(0)
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	return severed
}

// over says whether what is still under way has to end.
func (d *drain) over() bool {
	last := d.last.Load()
	return last != 0 && socket.Now() >= last
}

// arm sets the timer for the next step, when there is someone whom it concerns. mu is held.
func (d *drain) arm() {
	if d.timer != nil || d.last.Load() == 0 || len(d.tunnels) == 0 {
		return
	}
	d.timer = time.AfterFunc(time.Duration(d.ask-socket.Now()), d.askAll)
}

// askAll asks every tunnel to end, and cuts those that did not after a last call.
func (d *drain) askAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer == nil {
		return // it stays after all
	}
	for t := range d.tunnels {
		go t.ask() // each may have to wait for its client
	}
	d.timer = time.AfterFunc(time.Duration(d.last.Load()-socket.Now()), d.cutAll)
}

func (d *drain) cutAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer == nil {
		return
	}
	for t := range d.tunnels {
		t.cut()
	}
	d.severed = len(d.tunnels)
	d.timer = nil
}

// leaving is what lasts until somebody ends it.
type leaving interface {
	ask() // to end by itself; it may wait for its client
	cut()
}

func (d *drain) add(t leaving) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tunnels == nil {
		d.tunnels = map[leaving]struct{}{}
	}
	d.tunnels[t] = struct{}{}
	d.arm()
}

// enlist has t end with the endpoint of x, and with the proxy; strike takes that back.
func (x *exchange) enlist(t leaving) {
	x.ep.drain.add(t)
	x.c.p.tunnels.add(t)
}

func (x *exchange) strike(t leaving) {
	x.ep.drain.remove(t)
	x.c.p.tunnels.remove(t)
}

func (d *drain) remove(t leaving) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.tunnels, t)
}

// release drains the endpoints of before that r does not send requests to any more because they
// left, and takes that back for those that came again. An address that came again has a new
// endpoint; r.leaving are the old ones, as long as they have something under way.
func (r *rotation) release(before *rotation) {
	stays := make(map[string]*endpoint, len(r.all))
	for i, e := range r.all {
		e.drain.time.Store(int64(orDefault(r.from.Drain.Timeout, 5*time.Minute)))
		if drained(&r.from.Endpoints[i]) {
			e.drain.leave()
			continue
		}
		e.drain.stay()
		stays[e.key.Address] = e
	}
	if before == nil {
		return
	}
	old := append(before.leaving[:len(before.leaving):len(before.leaving)], before.all...)
	for _, e := range old {
		again := stays[e.key.Address]
		if again == e || r.has(e) {
			continue
		}
		if again != nil {
			e.drain.stay()
		} else {
			e.drain.leave()
		}
		if e.inFlight.Load() > 0 {
			r.leaving = append(r.leaving, e)
		}
	}
}

func (r *rotation) has(e *endpoint) bool {
	for _, o := range r.all {
		if o == e {
			return true
		}
	}
	return false
}
