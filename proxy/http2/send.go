package http2

import (
	"runtime"
	"slices"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/proxy/memory"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// maxOut is how many bytes may wait to be written before writers of bodies wait.
const maxOut = 64 << 10

// ready is what frames are appended to, with room for n bytes. Idle connections have no such memory. mu is held.
func (c *Conn) ready(n int) []byte {
	if c.out == nil {
		c.out = memory.Lend(memory.Size16)
	}
	if cap(c.out)-len(c.out) < n && cap(c.out) == memory.Size16 {
		larger := append(memory.Lend(memory.Size160), c.out...)
		memory.TakeBack(c.out)
		c.out = larger
	}
	return c.out
}

// greet sends the settings, and the connection's window beyond its initial 64 KiB.
func (c *Conn) greet() {
	settings := make([]byte, 0, 36)
	settings = appendSetting(settings, http2.SettingMaxHeaderListSize, uint32(c.cfg.HeadBytes))
	settings = appendSetting(settings, http2.SettingInitialWindowSize, c.cfg.Window)
	if c.client {
		settings = appendSetting(settings, http2.SettingEnablePush, 0)
	} else {
		settings = appendSetting(settings, http2.SettingMaxConcurrentStreams, c.cfg.Streams)
		settings = appendSetting(settings, http2.SettingEnableConnectProtocol, 1)
		settings = appendSetting(settings, http2.SettingNoRFC7540Priorities, 1)
	}
	c.out = append(appendHeader(c.ready(128), len(settings), http2.FrameSettings, 0, 0), settings...)
	if more := c.connWindow() - 65535; more > 0 {
		c.out = appendWindow(c.out, 0, more)
	}
	c.kick()
}

// connWindow lets every stream fill its own.
func (c *Conn) connWindow() uint32 {
	return uint32(min(max(uint64(c.cfg.Streams)*uint64(c.cfg.Window), 65535), 1<<30))
}

// kick sees that what waits gets written. mu is held.
func (c *Conn) kick() {
	if !c.writing && len(c.out) > 0 {
		c.writing = true
		c.spawn(c.writeFn)
	}
}

// write sends until nothing waits. It begins by letting others go first that are ready to
// add something: one system call for all of them.
func (c *Conn) write() {
	runtime.Gosched()
	if c.cfg.Sends.Rate > 0 {
		c.s.PaceWrites(&c.cfg.Sends) // anew: what it took before is no reason to take nothing now
	}
	c.mu.Lock()
	var err error
	for len(c.out) > 0 && err == nil {
		b := c.out
		c.out, c.spare = c.spare, nil
		c.wakeWriters()
		c.mu.Unlock()
		c.s.SetWriteDeadline(socket.Now() + int64(c.cfg.Stall))
		_, err = c.s.Write(b)
		c.mu.Lock()
		if c.out == nil {
			c.out = b[:0]
		} else {
			c.spare = b[:0]
		}
	}
	if err != nil && c.err == nil {
		c.err = err
		c.s.Interrupt() // Run ends
	}
	memory.TakeBack(c.out)
	memory.TakeBack(c.spare)
	c.out, c.spare, c.writing = nil, nil, false
	c.wakeWriters()
	if c.flushed != nil {
		close(c.flushed)
		c.flushed = nil
	}
	c.mu.Unlock()
}

// wakeWriters lets the streams look again whether they may send. mu is held.
func (c *Conn) wakeWriters() {
	if c.blocked == 0 {
		return
	}
	for _, st := range c.streams {
		st.writer.signal()
	}
}

// maxResets is how many of the streams that we reset are remembered; half of them at least.
const maxResets = 256

// reset ends a stream from our side. mu is held.
func (c *Conn) reset(id uint32, code Code) {
	if st := c.streams[id]; st != nil {
		delete(c.streams, id)
	}
	if c.client {
		c.late = min(c.late+4, 4*maxResets) // an interim head, a head, trailers, a reset
	} else if c.resets = append(c.resets, id); len(c.resets) > maxResets {
		c.resets = slices.Delete(c.resets, 0, maxResets/2)
	}
	if c.err == nil {
		c.out = appendReset(c.ready(16), id, code)
		c.kick()
	}
}

// partWait is how long a client may take to end a request itself that has been answered.
const partWait = 500 * time.Millisecond

// part ends a stream that has been answered while its request still comes. Clients stop sending when
// they see the answer; those that do not are told with NO_ERROR, RFC 9113 section 8.1, but later: curl
// before 8, for one, loses an answer that comes together with the reset. mu is held.
func (c *Conn) part(id uint32) {
	if c.draining || len(c.parting) >= maxResets {
		c.reset(id, NoError)
		return
	}
	delete(c.streams, id)
	c.parting = append(c.parting, id)
	time.AfterFunc(partWait, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.parted(id) {
			c.reset(id, NoError)
		}
	})
}

// parted says whether the stream was parting, which it is no more. mu is held.
func (c *Conn) parted(id uint32) bool {
	i := slices.Index(c.parting, id)
	if i < 0 {
		return false
	}
	c.parting = slices.Delete(c.parting, i, i+1)
	return true
}
