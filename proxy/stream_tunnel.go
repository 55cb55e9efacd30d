package proxy

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/proxy/http2"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// streamTunnel is a tunnel whose client is on an HTTP/2 stream (RFC 8441). Goroutines copy.
type streamTunnel struct {
	st    *http2.Stream
	conn  *socket.Conn // to the endpoint
	stall int64        // how long the client and the endpoint may take nothing, nanoseconds

	wanted  atomic.Bool // the client is to be told that the endpoint goes away
	severed atomic.Bool

	mu   sync.Mutex
	bye  farewell // guarded by mu
	over bool     // guarded by mu: the stream is somebody else's soon
}

// run copies both ways until both ends are done or one failed.
func (t *streamTunnel) run(x *exchange) error {
	t.bye.frames.pass(x.up.b[x.resp.Size:x.up.n]) // came with the head
	x.enlist(t)
	defer x.strike(t)
	x.up.release() // a silent tunnel holds no buffer
	t.conn.SetReadDeadline(0)
	t.conn.PaceWrites(&x.c.p.takes)
	up := make(chan struct{})
	go func() {
		defer close(up)
		defer func() {
			if x.c.survived(recover()) {
				t.conn.Interrupt()
			}
		}()
		if err := t.copyUp(); err != nil {
			t.conn.Interrupt()
		}
	}()
	var err error
	if x.tunnelled, err = t.copyDown(); err != nil {
		t.st.Interrupt()
	}
	<-up
	t.st.InterruptWrite() // ask may be waiting for room
	t.mu.Lock()
	t.over = true
	t.mu.Unlock()
	if t.severed.Load() {
		return errDrained
	}
	return err
}

// copyUp copies what the client sends until it ends, and tells the endpoint so.
func (t *streamTunnel) copyUp() error {
	for {
		piece, ended, err := t.st.Take()
		if err == nil && len(piece) > 0 {
			t.conn.SetWriteDeadline(socket.Now() + t.stall)
			_, err = t.conn.Write(piece)
		}
		if err == nil && ended {
			return t.conn.CloseWrite()
		}
		if err == nil && len(piece) == 0 {
			err = t.st.Wait(0)
		}
		if err != nil {
			return err
		}
	}
}

// copyDown copies what the endpoint sends until it ends, and tells the client so. It borrows a
// buffer only while there is something to copy.
func (t *streamTunnel) copyDown() (total int64, err error) {
	var b []byte
	borrow := func() []byte {
		if b == nil {
			b = getBytes(sizeSmall)
		}
		return b
	}
	giveUp := func() {
		if b != nil {
			putBytes(b)
			b = nil
		}
	}
	defer giveUp()
	for {
		n, err := t.conn.ReadInto(borrow, giveUp)
		if err == nil {
			err = t.write(b[:n])
			total += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return total, t.st.Send(nil, true, t.stall)
		}
		if err != nil {
			return total, err
		}
	}
}

// write passes on what the endpoint sent.
func (t *streamTunnel) write(p []byte) error {
	err := t.pass(p)
	if err == nil && t.wanted.Load() {
		err = t.pass(nil) // ask came while the last frame was being written
	}
	return err
}

func (t *streamTunnel) pass(p []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return nil
	}
	out, last := t.bye.pass(p, t.wanted.Load())
	for _, b := range [2][]byte{out, last} {
		if len(b) == 0 {
			continue
		}
		if err := t.st.Send(b, false, t.stall); err != nil {
			return err
		}
	}
	return nil
}

// ask tells the client that its endpoint goes away, once no frame is on its way.
func (t *streamTunnel) ask() {
	t.wanted.Store(true)
	if t.mu.TryLock() {
		t.mu.Unlock()
		_ = t.pass(nil) // who copies finds out
	}
}

// cut ends the tunnel.
func (t *streamTunnel) cut() {
	t.severed.Store(true)
	t.conn.Interrupt()
	t.st.Interrupt()
}
