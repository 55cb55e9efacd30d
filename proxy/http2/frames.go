package http2

import (
	"slices"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// take acts on a frame that the Framer has found well formed.
func (c *Conn) take(f http2.Frame) error {
	if !c.settled {
		if s, ok := f.(*http2.SettingsFrame); !ok || s.IsAck() {
			return faultf(Protocol, "the first frame is not SETTINGS")
		}
	}
	switch f := f.(type) {
	case *http2.DataFrame:
		return c.takeData(f)
	case *http2.HeadersFrame:
		return c.takeHeaders(f)
	case *http2.ContinuationFrame:
		return c.takeContinuation(f)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch f := f.(type) {
	case *http2.SettingsFrame:
		return c.takeSettings(f)
	case *http2.WindowUpdateFrame:
		return c.takeWindow(f)
	case *http2.RSTStreamFrame:
		return c.takeReset(f)
	case *http2.PingFrame:
		return c.takePing(f)
	case *http2.GoAwayFrame:
		c.takeGoAway(f)
		return nil
	case *http2.PriorityFrame:
		if f.StreamDep == f.StreamID {
			return faultf(Protocol, "a stream depends on itself")
		}
		return c.noteGlitch("PRIORITY frames")
	case *http2.PushPromiseFrame:
		return faultf(Protocol, "PUSH_PROMISE")
	}
	return c.noteGlitch("frames of unknown types") // ignored otherwise, section 4.1
}

func (c *Conn) takeData(f *http2.DataFrame) error {
	size, data := f.Length, f.Data()
	c.mu.Lock()
	defer c.mu.Unlock()
	// The connection's window is given back at once: what a stream may hold is bounded by its
	// own, and no stream waits for another.
	if c.received += size; c.received > c.connWindow() {
		return faultf(flowControl, "DATA beyond the connection's window")
	}
	if c.received >= c.connWindow()/2 {
		c.out = appendWindow(c.ready(16), 0, c.received)
		c.received = 0
		c.kick()
	}
	st := c.streams[f.StreamID]
	if st == nil && f.StreamEnded() && c.parted(f.StreamID) {
		return nil
	}
	if st == nil || st.recvEnd {
		return c.misplaced(f.StreamID, st, len(data))
	}
	if len(data) == 0 && !f.StreamEnded() {
		if err := c.noteGlitch("empty DATA frames"); err != nil {
			return err
		}
	}
	return st.arrive(data, size, f.StreamEnded())
}

// misplaced judges DATA, of size bytes, or HEADERS for a stream that is not open for them. What
// is still on its way for a stream that was given up, or crosses the last GOAWAY, is nobody's fault.
// mu is held.
func (c *Conn) misplaced(id uint32, st *Stream, size int) error {
	switch {
	case st != nil:
		return http2.StreamError{StreamID: id, Code: streamClosed}
	case c.isIdle(id):
		return faultf(Protocol, "a frame for a stream that is not open")
	case size > 0 && slices.Contains(c.parting, id):
		return nil
	case !c.client && id <= c.last && !slices.Contains(c.resets, id) && !slices.Contains(c.parting, id):
		return faultf(streamClosed, "a frame for a stream that has ended")
	case size >= worth:
		return nil
	case c.client:
		return c.tooLate()
	}
	return c.noteGlitch("frames for streams that were reset")
}

// tooLate judges a head, an end or a reset for a stream that a client has given up. Each of those has
// earned some: when an endpoint is slow many of its answers come too late, and the others would be lost
// with the connection. mu is held.
func (c *Conn) tooLate() error {
	if c.late > 0 {
		c.late--
		return nil
	}
	return c.noteGlitch("frames for streams that have ended")
}

// isIdle says whether a stream has never been opened. What crosses the last GOAWAY may have been. mu is held.
func (c *Conn) isIdle(id uint32) bool {
	if c.client {
		return id%2 == 0 || id >= c.next
	}
	return id%2 == 0 || id > c.last && !c.finalStep
}

func (c *Conn) takeWindow(f *http2.WindowUpdateFrame) error {
	if !c.earned() { // tiny grants cost more than they are worth
		if err := c.noteGlitch("WINDOW_UPDATE frames"); err != nil {
			return err
		}
	}
	const most = 1<<31 - 1
	if f.StreamID == 0 {
		if c.window += int64(f.Increment); c.window > most {
			return faultf(flowControl, "the connection's window overflows")
		}
		c.wakeWriters()
		return nil
	}
	st := c.streams[f.StreamID]
	if st == nil {
		if c.isIdle(f.StreamID) {
			return faultf(Protocol, "WINDOW_UPDATE for a stream that is not open")
		}
		return nil
	}
	if st.window += int64(f.Increment); st.window > most {
		return http2.StreamError{StreamID: f.StreamID, Code: flowControl}
	}
	st.writer.signal()
	return nil
}

func (c *Conn) takeReset(f *http2.RSTStreamFrame) error {
	if c.isIdle(f.StreamID) {
		return faultf(Protocol, "RST_STREAM for a stream that is not open")
	}
	st := c.streams[f.StreamID]
	switch {
	case st == nil && c.client:
		return c.tooLate()
	case st == nil && c.parted(f.StreamID):
		return nil
	case st == nil:
		return c.noteGlitch("resets")
	}
	st.code = f.ErrCode
	err := ErrReset
	if f.ErrCode == Refused {
		err = ErrRefused
	}
	clean := c.client && f.ErrCode == NoError && st.recvEnd // no more of the request is wanted
	delete(c.streams, st.id)
	if clean {
		st.stopSending()
		return nil
	}
	st.fail(err)
	if c.client || st.recvEnd && socket.Now()-st.begunAt >= longEnough {
		return nil
	}
	return c.noteGlitch("resets")
}

// longEnough is after what time giving up a request that was sent whole is no sign of a flood: deadlines
// pass when an endpoint is slow. As many as may be open can be given up so, no faster than that.
const longEnough = int64(time.Second)

func (c *Conn) takePing(f *http2.PingFrame) error {
	if f.IsAck() {
		if c.pinged {
			c.pinged = false
			c.lastGoAway()
		}
		return nil
	}
	c.out = appendPing(c.ready(32), true, f.Data)
	c.kick()
	if c.earned() {
		return nil
	}
	return c.noteGlitch("PING frames")
}

func (c *Conn) takeSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if c.settled {
		if err := c.noteGlitch("SETTINGS frames"); err != nil {
			return err
		}
	}
	first := !c.settled
	c.settled = true
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil {
			return err
		}
		switch s.ID {
		case http2.SettingInitialWindowSize:
			return c.newInitial(int64(s.Val))
		case http2.SettingHeaderTableSize:
			c.resized = true
		case http2.SettingMaxFrameSize:
			c.frame = int(min(s.Val, 64<<10))
		case http2.SettingMaxConcurrentStreams:
			c.most = s.Val
		}
		return nil
	})
	if first && c.client {
		close(c.greeted)
	}
	c.out = appendHeader(c.ready(16), 0, http2.FrameSettings, http2.FlagSettingsAck, 0)
	c.kick()
	return err
}

// newInitial applies a change of the initial window to the open streams, section 6.9.2.
func (c *Conn) newInitial(v int64) error {
	delta := v - c.initial
	c.initial = v
	for _, st := range c.streams {
		if st.window += delta; st.window > 1<<31-1 {
			return faultf(flowControl, "the window of a stream overflows")
		}
	}
	c.wakeWriters()
	return nil
}
