package http2

import (
	"golang.org/x/net/http2"
)

// arrive queues a piece of body. size counts padding too. mu is held.
func (st *Stream) arrive(data []byte, size uint32, ends bool) error {
	if st.held += size; st.held > st.c.cfg.Window {
		return http2.StreamError{StreamID: st.id, Code: flowControl}
	}
	st.got += int64(len(data))
	if st.length >= 0 && (st.got > st.length || ends && st.got != st.length) || st.c.client && !st.headed {
		return http2.StreamError{StreamID: st.id, Code: Protocol}
	}
	st.recv = join(st.recv, data)
	if ends {
		st.finishReceiving()
	}
	st.reader.signal()
	return nil
}

// finishReceiving notes that the peer has sent all. mu is held.
func (st *Stream) finishReceiving() {
	st.recvEnd = true
	if st.sendEnd {
		delete(st.c.streams, st.id)
	}
}

// Head is a request's head in the form of HTTP/1.1, the empty line included. It is valid as
// long as the stream.
func (st *Stream) Head() []byte { return st.head }

// ReadHead moves bytes of the answers' heads, interim ones first, into p. It waits for some
// until the deadline. ended is right when the final head has been read.
func (st *Stream) ReadHead(p []byte, deadline int64) (n int, err error) {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(st.head) == 0 {
		if err := st.unreadable(); err != nil {
			return 0, err
		}
		if st.recvEnd {
			return 0, ErrMalformed
		}
		if err := st.reader.wait(c, deadline); err != nil {
			return 0, err
		}
	}
	n = copy(p, st.head)
	st.head = st.head[:copy(st.head, st.head[n:])]
	return n, nil
}

// Take returns what has come of the body; it is valid until the next Take. ended says that
// nothing follows. Without either, call Wait.
func (st *Stream) Take() (piece []byte, ended bool, err error) {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	st.giveBack()
	if len(st.recv) == 0 {
		if st.recvEnd {
			return nil, true, nil
		}
		return nil, false, st.unreadable()
	}
	piece = st.recv
	st.recv, st.taken = st.taken[:0], piece
	return piece, st.recvEnd, nil
}

// Came is how many bytes Take would return now, and whether they are the last ones.
func (st *Stream) Came() (n int, all bool) {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	return len(st.recv), st.recvEnd
}

// giveBack lets the peer send as much again as was taken and is no longer in use: what waits
// in recv still is. Small amounts are left for later. mu is held.
func (st *Stream) giveBack() {
	c := st.c
	used := st.held - uint32(len(st.recv))
	if st.recvEnd || used < c.cfg.Window/4 || st.failed() != nil {
		return
	}
	st.held -= used
	c.out = appendWindow(c.ready(16), st.id, used)
	c.kick()
}

// Wait waits until Take has something to say, or the deadline has passed
// (socket.ErrTimeout).
func (st *Stream) Wait(deadline int64) error {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	st.giveBack() // whoever waits is done with what was taken
	st.taken = done(st.taken)
	for len(st.recv) == 0 && !st.recvEnd {
		if err := st.unreadable(); err != nil {
			return err
		}
		if err := st.reader.wait(c, deadline); err != nil {
			return err
		}
	}
	return nil
}

// Trailers are the last chunk and the trailer section as HTTP/1.1 would have them, or nothing.
// They are right once the body has ended.
func (st *Stream) Trailers() []byte {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	return st.trailers
}
