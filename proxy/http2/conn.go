package http2

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// Conn is one HTTP/2 connection.
type Conn struct {
	s      *socket.Conn
	cfg    Config
	client bool
	serve  func(*Stream) // of a server, in a goroutine for each stream

	// Of the goroutine in Run.
	rd        *reading
	first     []byte // bytes that came before Run
	dec       *hpack.Decoder
	block     []byte // of a head that came in several frames
	blockOf   uint32 // the stream of block; 0: none is open
	blockEnds bool   // END_STREAM came with it
	blockBy   int64  // when it must be complete
	head      decoding
	scratch   []byte        // of answers' heads; of a server for heads, once one was too large
	settled   bool          // the peer's SETTINGS have come
	greeted   chan struct{} // of a client, closed by then
	readErr   error         // what takeNow ended with
	writeFn   func()

	mu       sync.Mutex
	streams  map[uint32]*Stream
	crew     crew
	running  int    // streams whose goroutine is at work
	last     uint32 // the highest stream that the peer opened
	next     uint32 // the next that a client opens
	glitches glitches
	resets   []uint32 // of a server: the streams that were reset by us last; what is still on its way is ignored
	parting  []uint32 // of a server: the streams that were answered while their request still comes, see part
	late     int      // of a client: frames that those have earned, see tooLate

	// What the peer allows.
	window  int64 // bytes on the connection
	initial int64 // bytes on a new stream
	frame   int   // bytes of a frame
	most    uint32
	resized bool // the peer changed its table's size, which the next block has to answer

	received uint32 // bytes of the connection's window that were not given back yet
	credit   int    // WINDOW_UPDATE and PING frames that the peer has earned by what was sent
	activeAt int64
	askedAt  int64        // when the first request went out that nothing was heard after
	heardAt  atomic.Int64 // when bytes came last; of the goroutine in Run

	out, spare []byte
	writing    bool
	blocked    int           // streams that wait to send
	flushed    chan struct{} // closed by the writer when it ends, once the connection has
	err        error
	draining   bool // GOAWAY was sent or has come
	finalStep  bool // the second GOAWAY was sent
	pinged     bool // the PING between the two is on its way
}

// NewServer makes the server's side of a connection. serve is called for each stream, in a
// goroutine of its own; the stream is not used after it returns.
func NewServer(s *socket.Conn, cfg Config, serve func(*Stream)) *Conn {
	c := newConn(s, cfg.complete(false))
	c.serve = serve
	return c
}

// NewClient makes the client's side of a connection. Open works at once; the caller starts
// Run.
func NewClient(s *socket.Conn, cfg Config) *Conn {
	c := newConn(s, cfg.complete(true))
	c.client = true
	c.next = 1
	c.greeted = make(chan struct{})
	c.out = append(c.ready(64), http2.ClientPreface...)
	c.greet()
	return c
}

func newConn(s *socket.Conn, cfg Config) *Conn {
	c := &Conn{
		s: s, cfg: cfg, streams: map[uint32]*Stream{},
		window: 65535, initial: 65535, frame: 16384, most: 100,
		glitches: glitches{limit: int64(cfg.Glitches)}, activeAt: socket.Now(),
	}
	c.writeFn = c.write
	return c
}

// Run reads until the connection ends. first holds the bytes that were read from it before.
// It returns nil when both sides parted in peace.
func (c *Conn) Run(first []byte) error {
	c.first = first
	err := c.read()
	c.end(err)
	if errors.Is(err, io.EOF) || errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

func (c *Conn) read() error {
	if !c.client {
		if err := c.preface(); err != nil {
			return err
		}
		c.mu.Lock()
		c.greet()
		c.mu.Unlock()
	}
	for {
		if err := c.await(); err != nil {
			return err
		}
		if err := c.takeFrame(); err != nil {
			return err
		}
	}
}

// takeFrame reads a frame, whose start has come, and acts on it.
func (c *Conn) takeFrame() error {
	c.rd.by = c.blockBy
	f, err := c.rd.framer.ReadFrame()
	switch {
	case err == nil:
		return c.judge(c.take(f))
	case !c.rd.lost && errors.Is(err, io.ErrUnexpectedEOF):
		return faultf(frameSize, "a frame is shorter than its flags say")
	}
	return unread(err)
}

// intake is a Conn that takes what arrives while it waits.
type intake Conn

// Borrow implements [socket.Handler].
func (i *intake) Borrow() []byte { return (*Conn)(i).borrow() }

// GiveUp implements [socket.Handler].
func (i *intake) GiveUp() { (*Conn)(i).giveUp() }

// Take implements [socket.Handler].
func (i *intake) Take(n int) (more bool) { return (*Conn)(i).takeNow(n) }

// takeNow takes the n bytes that a waiting connection got, in the midst of the wait: the
// frames that are complete. It reports false when reading has to go on, or readErr says why
// not.
func (c *Conn) takeNow(n int) bool {
	c.rd.n = n
	now := socket.Now()
	c.heardAt.Store(now)
	c.s.SetReadDeadline(min(c.s.ReadDeadline(), now+firstLook))
	for c.rd.whole() {
		if c.readErr = c.takeFrame(); c.readErr != nil {
			return false
		}
	}
	return c.rd.left() == 0 && c.blockOf == 0
}

// preface reads what a client says first.
func (c *Conn) preface() error {
	c.rd = newReading(c)
	var b [len(http2.ClientPreface)]byte
	if _, err := io.ReadFull(&c.rd.input, b[:]); err != nil {
		return err
	}
	if string(b[:]) != http2.ClientPreface {
		return faultf(Protocol, "the connection does not begin with the preface")
	}
	return nil
}

// firstLook is how soon a connection that waits is looked at, for a FIN that came with the last
// frame (see [socket.Conn.Serve]).
const firstLook = int64(1e9)

// await waits for a frame to begin, and takes those that come whole. A connection that waits
// holds no buffer.
func (c *Conn) await() error {
	if c.rd != nil && c.rd.left() > 0 {
		return nil
	}
	if c.blockOf != 0 {
		c.rd.by = c.blockBy
		return c.rd.more()
	}
	for look := firstLook; ; look = int64(c.cfg.Idle) {
		now := socket.Now()
		c.s.SetReadDeadline(min(now+look, c.idleBy(now)))
		err := c.s.Serve((*intake)(c))
		switch {
		case c.readErr != nil:
			return c.readErr
		case errors.Is(err, socket.ErrTimeout):
			if c.idle() {
				return ErrClosed
			}
		case errors.Is(err, socket.ErrInterrupted):
			return ErrClosed
		case err != nil:
			return err
		case c.blockOf != 0 && c.rd.left() == 0:
			c.rd.by = c.blockBy
			return c.rd.more()
		default:
			return nil
		}
	}
}

// judge decides what an error of a frame ends: nothing, a stream, or the connection, which it
// then returns.
func (c *Conn) judge(err error) error {
	if err == nil {
		return nil // before the variables, whose addresses are taken
	}
	var se http2.StreamError
	var ce http2.ConnectionError
	switch {
	case errors.As(err, &se):
		c.mu.Lock()
		defer c.mu.Unlock()
		if st := c.streams[se.StreamID]; st != nil {
			st.fail(ErrMalformed)
		}
		c.reset(se.StreamID, se.Code)
		return c.noteGlitch("frames with errors")
	case errors.As(err, &ce):
		return faultf(Code(ce), "malformed settings")
	}
	return err
}

// unread says what a frame that could not be read means. All of it ends the connection, since
// the frame may have held a part of a header block.
func unread(err error) error {
	var se http2.StreamError
	var ce http2.ConnectionError
	switch {
	case errors.As(err, &se):
		return faultf(se.Code, "malformed frame")
	case errors.As(err, &ce):
		return faultf(Code(ce), "malformed frame")
	case errors.Is(err, http2.ErrFrameTooLarge):
		return faultf(frameSize, "frame is too large")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.EOF // the peer went away
	}
	return err
}

// end tells the peer why, wakes everybody and closes the connection.
func (c *Conn) end(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
		if c.err == nil {
			c.err = ErrClosed
		}
	}
	if c.client && !c.settled {
		close(c.greeted)
	}
	for _, st := range c.streams {
		st.fail(ErrClosed)
	}
	clear(c.streams)
	c.crew.gone = true
	c.dismiss()
	code := CodeOf(err)
	if code != NoError {
		c.out = appendGoAway(c.ready(32), c.last, code)
		c.kick()
	}
	if c.writing {
		c.flushed = make(chan struct{})
	}
	flushed := c.flushed
	c.mu.Unlock()
	if flushed != nil {
		<-flushed
	}
	if code != NoError {
		c.linger()
	}
	if c.rd != nil {
		c.rd.release()
		c.rd = nil
	}
	_ = c.s.Close() // the peer may be gone already
}

// linger reads what the peer is still sending, for a while, so that closing does not reset the
// connection under the GOAWAY that says why.
func (c *Conn) linger() {
	if c.s.CloseWrite() != nil {
		return
	}
	const most, patience = 1 << 20, int64(1e9)
	c.s.SetReadDeadline(socket.Now() + patience)
	b := c.borrow()
	for got := 0; got < most; {
		n, err := c.s.Read(b)
		if err != nil {
			return
		}
		got += n
	}
}

// Abort ends the connection under everything that is on its way.
func (c *Conn) Abort() { c.s.Cut() }

// noteGlitch counts a frame of the kind that floods are made of. mu is held.
func (c *Conn) noteGlitch(what string) error {
	if c.glitches.note(socket.Now()) {
		return faultf(CalmDown, "too many %s", what)
	}
	return nil
}

// AwaitSettings waits until a client knows what the server allows, until the connection ends, or for at most d.
func (c *Conn) AwaitSettings(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.greeted:
	case <-timer.C:
	}
}

// Alive says whether a client can open streams.
func (c *Conn) Alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil && !c.draining
}

// Load is how many streams are open, and whether another one would be taken.
func (c *Conn) Load() (open int, room bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams), c.err == nil && !c.draining && uint32(len(c.streams)) < min(c.most, c.cfg.Streams)
}
