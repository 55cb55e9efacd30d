package socket

import (
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Watcher is told when it is time to look at a connection; see [Conn.Watch] and [Conn.WatchRoom].
type Watcher interface {
	// Ready is called when there may be something to read, or room to write, when the deadline
	// may have passed, and after Interrupt. It must not wait: others have their turn when it returns.
	Ready(t Turn)
}

// desc is the descriptor of a connection that a loop watches. It does for it what package net
// and Go's poller do for others: it is its syscall.RawConn, and its net.Conn.
type desc struct {
	fd            int
	loop          *loop
	seq           int32 // tells it from others that had the same number
	ended         atomic.Bool
	uses          atomic.Int64 // twice the number of users, and 1 when it is closed
	r, w          direction
	local, remote net.Addr
}

// newDesc takes the descriptor of t over and has a loop watch it. t is closed when that worked.
func newDesc(t *net.TCPConn, raw syscall.RawConn) (*desc, error) {
	l, err := anyLoop()
	if err != nil {
		return nil, err
	}
	var fd int
	if closed := raw.Control(func(old uintptr) { fd, err = rawDup(old) }); closed != nil {
		return nil, closed
	}
	if err != nil {
		return nil, err
	}
	d := &desc{fd: fd, loop: l, local: t.LocalAddr(), remote: t.RemoteAddr(), seq: watched.seq.Add(1)}
	if !watched.set(fd, d) {
		_ = syscall.Close(fd)
		return nil, syscall.EMFILE
	}
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | edgeTriggered, Fd: int32(fd), Pad: d.seq}
	if err := syscall.EpollCtl(l.fd, syscall.EPOLL_CTL_ADD, fd, &ev); err != nil {
		watched.set(fd, nil)
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	_ = t.Close() // the connection lives on under the other number
	return d, nil
}

// wait waits until something may have happened.
func (d *desc) wait(s *direction) error {
	s.self.watcher = nil
	if s.self.wake == nil {
		s.self.wake = make(chan struct{}, 1)
	}
	if err := d.over(s); err != nil {
		return err
	}
	if s == &d.r && d.ended.Load() {
		return nil
	}
	number := s.enter()
	if number == 0 {
		return nil
	}
	if d.over(s) == nil || !s.leave(number) {
		<-s.self.wake
	}
	return d.over(s)
}

// over is why there is no use in waiting, or nil.
func (d *desc) over(s *direction) error {
	if d.uses.Load()&1 != 0 {
		return net.ErrClosed
	}
	if s.late.Load() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// watch has w told. It reports false when there may be something to read now, or nothing to wait
// for; w is not told then. Else the connection belongs to w from now on.
func (d *desc) watch(w Watcher) bool { return !d.ended.Load() && d.await(&d.r, w) }

// watchRoom is watch for somebody who wants to write.
func (d *desc) watchRoom(w Watcher) bool { return d.await(&d.w, w) }

func (d *desc) await(s *direction, w Watcher) bool {
	if d.over(s) != nil {
		return false
	}
	s.self.watcher = w
	number := s.enter()
	return number != 0 && (d.over(s) == nil || !s.leave(number))
}

// use keeps the descriptor open until done.
func (d *desc) use() bool {
	for {
		n := d.uses.Load()
		if n&1 != 0 {
			return false
		}
		if d.uses.CompareAndSwap(n, n+2) {
			return true
		}
	}
}

func (d *desc) done() {
	if d.uses.Add(-2) == 1 {
		d.release()
	}
}

// release closes the descriptor, which nobody uses any more.
func (d *desc) release() {
	watched.set(d.fd, nil)
	_ = syscall.Close(d.fd)
}

// Close implements net.Conn.
func (d *desc) Close() error {
	for {
		n := d.uses.Load()
		if n&1 != 0 {
			return net.ErrClosed
		}
		if d.uses.CompareAndSwap(n, n+3) { // a user, for as long as this lasts
			break
		}
	}
	d.r.stop()
	d.w.stop()
	d.done()
	return nil
}

// Control implements syscall.RawConn.
func (d *desc) Control(f func(fd uintptr)) error {
	if !d.use() {
		return net.ErrClosed
	}
	defer d.done()
	f(uintptr(d.fd))
	return nil
}

// Read implements net.Conn.
func (d *desc) Read(p []byte) (n int, err error) {
	var errno syscall.Errno
	err = d.do(&d.r, func(fd uintptr) bool {
		n, errno = rawRead(fd, p)
		return errno != syscall.EAGAIN && errno != syscall.EINTR
	})
	switch {
	case err != nil:
		return 0, err
	case errno != 0:
		return 0, os.NewSyscallError("read", errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (d *desc) Write(p []byte) (written int, err error) {
	var errno syscall.Errno
	err = d.do(&d.w, func(fd uintptr) bool {
		for written < len(p) {
			var n int
			if n, errno = rawWrite2(fd, p[written:], nil); errno != 0 {
				return errno != syscall.EAGAIN && errno != syscall.EINTR
			}
			written += n
		}
		return true
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("write", errno)
	}
	return written, err
}

// CloseWrite ends the direction to the peer.
func (d *desc) CloseWrite() error {
	return d.call("shutdown", func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_WR) })
}

// SetLinger has Close reset the connection (0 seconds), as net.TCPConn does.
func (d *desc) SetLinger(sec int) error {
	return d.call("setsockopt", func(fd int) error {
		return syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1, Linger: int32(sec)})
	})
}

func (d *desc) call(name string, f func(fd int) error) error {
	var err error
	if closed := d.Control(func(fd uintptr) { err = f(int(fd)) }); closed != nil {
		return closed
	}
	return os.NewSyscallError(name, err)
}

// LocalAddr implements net.Conn.
func (d *desc) LocalAddr() net.Addr { return d.local }

// RemoteAddr implements net.Conn.
func (d *desc) RemoteAddr() net.Addr { return d.remote }

// SetDeadline implements net.Conn.
func (d *desc) SetDeadline(t time.Time) error {
	d.r.setDeadline(t)
	d.w.setDeadline(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (d *desc) SetReadDeadline(t time.Time) error {
	d.r.setDeadline(t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (d *desc) SetWriteDeadline(t time.Time) error {
	d.w.setDeadline(t)
	return nil
}

// rawDesc is the descriptor as syscall.RawConn has it, whose Read and Write are not those of
// net.Conn.
type rawDesc struct{ d *desc }

// Control implements syscall.RawConn.
func (r rawDesc) Control(f func(fd uintptr)) error { return r.d.Control(f) }

// Read implements syscall.RawConn.
func (r rawDesc) Read(f func(fd uintptr) bool) error { return r.d.do(&r.d.r, f) }

// Write implements syscall.RawConn.
func (r rawDesc) Write(f func(fd uintptr) bool) error { return r.d.do(&r.d.w, f) }

// do calls f until it returns true, and waits in between.
func (d *desc) do(s *direction, f func(fd uintptr) bool) error {
	if !d.use() {
		return net.ErrClosed
	}
	defer d.done()
	if s.late.Load() {
		return os.ErrDeadlineExceeded
	}
	s.forget()
	for !f(uintptr(d.fd)) {
		if err := d.wait(s); err != nil {
			return err
		}
	}
	return nil
}
