package http2

import (
	"sync"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// Stream is one request and its answer. One goroutine may read (Take, Wait) while another
// one writes.
type Stream struct {
	// Ended: END_STREAM came with the head, so there is no body. Set together with the head.
	Ended bool
	// Tunnel: the request is an extended CONNECT.
	Tunnel bool
	// TooLarge: the head was more than Config.HeadBytes; Head has nothing.
	TooLarge bool

	c     *Conn
	id    uint32
	runFn func()

	// Guarded by c.mu.
	head     []byte // of a request; the answers that were not read yet
	headed   bool   // the final head has come
	recv     []byte // of the body, not taken yet
	taken    []byte // what Take gave out last, to be used again
	trailers []byte
	recvEnd  bool
	length   int64  // Content-Length; negative: none
	got      int64  // bytes of body that came
	held     uint32 // bytes of the window that were not given back
	window   int64  // bytes that may be sent
	sendEnd  bool
	sends    socket.Meter
	begunAt  int64 // of a server's
	bodiless bool  // the answer has no body, whatever length it tells
	noMore   bool  // the peer wants no more of what we send, without harm
	err      error
	code     Code
	stopped  bool // by Interrupt
	cancel   Interrupter

	reader, writer waiter
}

var streams = sync.Pool{New: func() any {
	st := &Stream{}
	st.reader.init()
	st.writer.init()
	return st
}}

func newStream(c *Conn, id uint32) *Stream {
	st := streams.Get().(*Stream)
	st.c, st.id, st.window, st.length = c, id, c.initial, -1
	st.sends = socket.NewMeter(&c.cfg.Sends)
	if st.runFn == nil {
		st.runFn = st.run
	}
	return st
}

// release gives the memory back. Nobody knows the stream any more.
func (st *Stream) release() {
	keep := Stream{runFn: st.runFn, reader: st.reader, writer: st.writer, head: modest(st.head), recv: done(st.recv), taken: done(st.taken)}
	*st = keep
	streams.Put(st)
}

// run is a server's goroutine for the stream.
func (st *Stream) run() {
	c := st.c
	defer func() {
		c.mu.Lock()
		c.running--
		c.activeAt = socket.Now()
		st.leave(Internal)
		done := c.draining && c.finalStep && c.running == 0
		if done {
			c.s.Interrupt()
		}
		c.mu.Unlock()
		st.release()
	}()
	c.serve(st)
}

// leave ends what is still open of the stream: without an end of ours with the code, and when
// the peer is still sending its body as part does. mu is held.
func (st *Stream) leave(code Code) {
	c := st.c
	if st.err == nil && c.err == nil {
		switch {
		case !st.sendEnd:
			c.reset(st.id, code)
			return
		case !st.recvEnd:
			c.part(st.id)
		}
		if !st.TooLarge {
			c.glitches.forgive()
		}
	}
	if c.streams[st.id] == st {
		delete(c.streams, st.id)
	}
}

// Finish ends a client's stream, which is not used afterwards. What is still open of it is
// cancelled.
func (st *Stream) Finish() {
	c := st.c
	c.mu.Lock()
	c.activeAt = socket.Now()
	if st.err == nil && c.err == nil {
		switch {
		case st.sendEnd && st.recvEnd:
			c.glitches.forgive()
		case c.streams[st.id] == st:
			c.reset(st.id, Cancel)
			c.doubt()
		}
	}
	if c.streams[st.id] == st {
		delete(c.streams, st.id)
	}
	done := c.draining && len(c.streams) == 0
	if done {
		c.s.Interrupt()
	}
	c.mu.Unlock()
	st.release()
}

// Reset ends the stream with a code.
func (st *Stream) Reset(code Code) {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.err != nil || c.err != nil {
		return
	}
	st.fail(ErrClosed)
	c.reset(st.id, code)
}

// fail ends the stream from the peer's side. mu is held.
func (st *Stream) fail(err error) {
	if st.err == nil {
		st.err = err
	}
	st.reader.signal()
	st.writer.signal()
	if st.cancel != nil {
		st.cancel.Interrupt()
	}
}

// Interrupter is what waits elsewhere on behalf of a stream.
type Interrupter interface{ Interrupt() }

// OnReset has s interrupted when the peer resets the stream; nil takes that back. It reports
// false when the stream has failed already: s may have been interrupted.
func (st *Stream) OnReset(s Interrupter) bool {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.cancel = s
	return st.err == nil
}

// Err is why the stream can not go on, nil while it can.
func (st *Stream) Err() error {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	return st.failed()
}

// Code is what the peer reset the stream with.
func (st *Stream) Code() Code {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	return st.code
}

// Interrupt ends a read that is waiting, and every later one that would wait, with
// socket.ErrInterrupted.
func (st *Stream) Interrupt() {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.stopped = true
	st.reader.signal()
}

// InterruptWrite ends a Send that is waiting, and every later one, with ErrReset.
func (st *Stream) InterruptWrite() {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.stopSending()
}

// unreadable is why nothing more can be read. mu is held.
func (st *Stream) unreadable() error {
	if st.stopped {
		return socket.ErrInterrupted
	}
	return st.failed()
}

func (st *Stream) failed() error {
	if st.err != nil {
		return st.err
	}
	if st.c.err != nil {
		return ErrClosed
	}
	return nil
}
