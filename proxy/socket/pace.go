package socket

import (
	"syscall"
	"unsafe"
)

// Pace is the least speed at which a peer has to send, or to take, on the average. Only the
// time spent waiting for the peer counts, so that nobody is blamed for the slowness of
// others. The zero value expects nothing.
type Pace struct {
	Rate  int64 // bytes a second
	Grace int64 // nanoseconds of waiting that are free in any case
	Stall int64 // of writes: how long the peer may take nothing, nanoseconds; 0: the deadline says it
}

// pace measures one direction.
type pace struct {
	*Pace        // nil: expects nothing
	moved  int64 // bytes that the peer sent or took
	waited int64 // nanoseconds, in waits that are over
	since  int64 // when the wait that is under way began; 0: none
	heard  int64 // when the peer last took something, as far as this wait knows
}

// counts says whether there is a speed to keep.
func (p *pace) counts() bool { return p.Pace != nil && p.Rate > 0 }

// begin starts a wait, unless one is under way.
func (p *pace) begin(now int64) {
	if p.since == 0 {
		p.since, p.heard = now, now
	}
}

// end ends the wait, if there is one, with n bytes more.
func (p *pace) end(n int) {
	p.moved += int64(n)
	if p.since != 0 {
		p.waited += Now() - p.since
		p.since = 0
	}
}

// due is when the wait that is under way has lasted too long for what was moved.
func (p *pace) due() int64 {
	const longest = 1 << 32 // seconds; what is above would not fit into nanoseconds
	free := max(p.Grace, min(max(p.moved, 0)/p.Rate, longest)*1e9)
	return p.since + free - p.waited
}

// by is when a wait ends with ErrTimeout that is wanted until want; 0: never.
func (p *pace) by(want int64) int64 {
	if !p.counts() || p.since == 0 {
		return want
	}
	at := p.due()
	switch {
	case p.Stall > 0:
		return min(at, p.heard+p.Stall)
	case want == 0 || at < want:
		return at
	}
	return want
}

// due is when a wait of the connection ends.
func (h *half) due() int64 { return h.pace.by(h.want) }

// PaceReads expects the peer to send at p from now on, besides the read deadline.
// nil: any speed will do.
func (c *Conn) PaceReads(p *Pace) { c.in.pace = pace{Pace: p} }

// PaceWrites expects the peer to take what is written at p from now on. With p.Stall a wait
// ends when the peer took nothing at all for so long, whatever the write deadline: a socket
// becomes writable again when a third of its buffer is free, for which a slow peer that goes
// on taking needs minutes. nil: any speed will do.
func (c *Conn) PaceWrites(p *Pace) {
	c.out.pace = pace{Pace: p}
	c.pushed, c.queue = 0, 0
}

// waitRead begins a wait for bytes.
func (c *Conn) waitRead() {
	if c.in.pace.counts() {
		c.in.pace.begin(Now())
	}
	c.armRead()
}

// waitWrite begins a wait for room.
func (c *Conn) waitWrite(fd uintptr) {
	if c.out.pace.counts() {
		queue := unsent(fd)
		if c.out.pace.since == 0 { // else what the peer has taken meanwhile would be overlooked, see taking
			c.queue = queue
		}
		c.out.pace.begin(Now())
		c.out.pace.moved = c.pushed - int64(queue)
	}
	c.armWrite()
}

// wrote counts n bytes that the kernel took over.
func (c *Conn) wrote(n int) {
	if c.out.pace.counts() {
		c.pushed += int64(n)
		c.out.pace.end(0)
	}
}

// taking says, when the time for a write is over, whether the peer goes on taking and is
// fast enough; it then gets more.
func (c *Conn) taking(now int64) bool {
	p := &c.out.pace
	if p.since == 0 || p.Stall <= 0 || c.raw == nil {
		return false
	}
	queue := c.queue
	if err := c.raw.Control(func(fd uintptr) { queue = unsent(fd) }); err != nil || queue >= c.queue {
		return false
	}
	c.queue, p.moved = queue, c.pushed-int64(queue)
	p.heard = now
	return now < p.due()
}

// Unsent is how many bytes of what was written the peer has not acknowledged; 0 when that can't be told.
// It may be called while another goroutine writes.
func (c *Conn) Unsent() (n int) {
	if c.raw != nil {
		_ = c.raw.Control(func(fd uintptr) { n = int(unsent(fd)) }) // it fails when the connection is closed
	}
	return n
}

// unsent is how many bytes the peer has not acknowledged (SIOCOUTQ); 0 when that can't be told.
func unsent(fd uintptr) int32 {
	var n int32
	if _, _, errno := syscall.RawSyscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return 0
	}
	return n
}
