package hardening

import (
	"net"
	"slices"
	"syscall"
	"time"
)

// settled waits until the origin has dealt with everything that was sent to it up to now, and
// returns what was seen. Without that, what a case left in the kernel would be taken for the
// next one's.
func (o *origin) settled() (all []seen, faults []string, ok bool) {
	for _, addr := range o.addr {
		o.barrier(addr)
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		o.mu.Lock()
		quiet := o.quiet()
		if quiet || time.Now().After(end) {
			defer o.mu.Unlock()
			return slices.Clone(o.seen), slices.Clone(o.faults), quiet
		}
		o.mu.Unlock()
	}
}

// barrier returns when every connection that was made before it has been accepted: they
// come in order.
func (o *origin) barrier(addr string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	self := ends(c.LocalAddr(), c.RemoteAddr())
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		o.mu.Lock()
		accepted := o.accepted[self]
		delete(o.accepted, self)
		o.mu.Unlock()
		if accepted {
			return
		}
	}
}

// ends name a connection. The same port of one end may serve several at a time.
func ends(from, to net.Addr) string { return from.String() + " " + to.String() }

// quiet says whether no request is under way and nothing waits to be read. o.mu is held.
func (o *origin) quiet() bool {
	if o.busy > 0 {
		return false
	}
	for _, c := range o.conns {
		if raw, err := c.SyscallConn(); err == nil {
			waits := false
			if err := raw.Control(func(fd uintptr) { waits = peek(fd) }); err == nil && waits {
				return false
			}
		}
	}
	return true
}

func (o *origin) work(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy += n
}

// readable waits until there are bytes or the end of the stream, and leaves them there.
func readable(c *net.TCPConn) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Read(peek) // what fails here fails again when reading
	}
}

// peek says whether a read would not wait.
func peek(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err != syscall.EAGAIN && err != syscall.EINTR
}
