package socket

import (
	"os"
	"syscall"
)

// FlushNow writes what [Conn.WriteNow] or [Conn.CloseWriteNow] has left, as far as there is room. done
// says that nothing is left.
func (c *Conn) FlushNow() (done bool, err error) {
	l := c.low
	if l == nil {
		c.src[0], c.src[1], err = c.pushOn(c.src[0], c.src[1])
		return len(c.src[0]) == 0, err
	}
	if c.werr != nil {
		return false, c.werr
	}
	l.unsent, _, err = c.pushOn(l.unsent, nil)
	if len(l.unsent) == 0 {
		l.unsent = nil
	}
	return l.unsent == nil, err
}

// pushOn is push that tells why there is a rest, unless there was no room.
func (c *Conn) pushOn(p, q []byte) (left, then []byte, err error) {
	for len(p) > 0 {
		if c.out.stopped.Load() {
			return p, q, ErrInterrupted
		}
		n, errno := rawWrite2(uintptr(c.d.fd), p, q)
		switch errno {
		case 0:
			c.wrote(n)
			p, q = rest(p, q, n)
		case syscall.EINTR:
		case syscall.EAGAIN:
			return p, q, nil
		default:
			return p, q, os.NewSyscallError("write", errno)
		}
	}
	return nil, nil, nil
}

// WatchRoom is [Conn.Watch] for who has something to write and found no room for it.
func (c *Conn) WatchRoom(w Watcher) (waits bool, err error) {
	for {
		c.waitWrite(uintptr(c.d.fd))
		if c.d.watchRoom(w) {
			return true, nil
		}
		if !c.d.w.late.Load() {
			return false, nil
		}
		if err := c.writeTimeout(); err != nil {
			return false, err
		}
	}
}

// CloseWriteNow is [Conn.CloseWrite] that does not wait. It reports false when something has to be
// written before, for which there is no room: it is called again after FlushNow.
func (c *Conn) CloseWriteNow() (done bool, err error) {
	if l := c.low; l != nil {
		l.hurries = true
		err := l.tls.CloseWrite() // does nothing the second time
		l.hurries = false
		if err != nil || len(l.unsent) > 0 {
			return false, bare(err)
		}
	}
	return true, c.d.CloseWrite()
}
