package proxy

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// goingAway is a WebSocket frame that closes with status 1001 (RFC 6455 sections 5.5.1 and
// 7.4.1).
var goingAway = []byte{0x88, 2, 1001 >> 8, 1001 & 0xff}

// tunnel is what flows from an endpoint to a client. Its frames are counted, so that a frame of
// our own can be put between two of them: a client that is told that its endpoint goes away
// connects again, instead of finding out.
type tunnel struct {
	conn   *socket.Conn // to the endpoint
	client end

	wanted  atomic.Bool // the client is to be told
	severed atomic.Bool

	mu     sync.Mutex
	frames wsFrames // guarded by mu
	told   bool     // guarded by mu: the client was, and gets nothing else
}

// write passes on what the endpoint sent.
func (t *tunnel) write(p []byte) error {
	err := t.pass(p)
	if err == nil && t.wanted.Load() {
		err = t.pass(nil) // ask came while the last frame was being written
	}
	return err
}

func (t *tunnel) pass(p []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told {
		return nil
	}
	if !t.wanted.Load() {
		t.frames.pass(p)
		return t.client.write(p)
	}
	if !t.frames.between() {
		n := t.frames.next(p)
		if !t.frames.between() {
			if len(p) == 0 {
				return nil
			}
			return t.client.write(p) // the frame goes on
		}
		p = p[:n]
	} else {
		p = nil
	}
	t.told = true
	if len(p) > 0 {
		if err := t.client.write(p); err != nil {
			return err
		}
	}
	return t.client.write(goingAway)
}

// ask tells the client that its endpoint goes away, once no frame is on its way.
func (t *tunnel) ask() {
	t.wanted.Store(true)
	if t.mu.TryLock() {
		t.mu.Unlock()
		_ = t.pass(nil) // who copies finds out
	}
}

// cut ends the tunnel.
func (t *tunnel) cut() {
	t.severed.Store(true)
	t.conn.Interrupt()
	t.client.interrupt()
}

// wsFrames follows the frames of a WebSocket in a stream of bytes (RFC 6455 section 5.2).
type wsFrames struct {
	head [14]byte
	n    int    // bytes of a head that is not complete
	left uint64 // bytes of the payload that are to come
}

// between says whether a frame may begin now.
func (f *wsFrames) between() bool { return f.n == 0 && f.left == 0 }

// pass takes bytes in.
func (f *wsFrames) pass(p []byte) {
	for len(p) > 0 {
		p = p[f.next(p):]
	}
}

// next takes bytes in up to the end of the frame and returns how many there were.
func (f *wsFrames) next(p []byte) (n int) {
	for n < len(p) {
		if f.left > 0 {
			take := min(f.left, uint64(len(p)-n))
			f.left -= take
			n += int(take)
		} else {
			f.head[f.n] = p[n]
			f.n++
			n++
			if f.n < f.size() {
				continue
			}
			f.left, f.n = f.length(), 0
		}
		if f.between() {
			return n
		}
	}
	return n
}

// size is how long the head is, as far as that can be told.
func (f *wsFrames) size() int {
	if f.n < 2 {
		return 2
	}
	size := 2
	switch f.head[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if f.head[1]&0x80 != 0 {
		size += 4 // of the mask
	}
	return size
}

func (f *wsFrames) length() uint64 {
	switch n := f.head[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.head[2:])
	default:
		return uint64(n)
	}
}
