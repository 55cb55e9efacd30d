package http2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// wire is the far end of a connection that is being fuzzed: it sends bytes as they are, and
// reads frames.
type wire struct {
	net.Conn
	t      *testing.T
	marked chan struct{} // closed when the PING of mark is answered
	ended  chan struct{} // closed when the other side has ended the connection
	grants uint64        // how many bytes of body the bytes sent allow on the connection
	code   atomic.Uint32 // of the last GOAWAY; 0: none, or in peace
}

// pair makes two connected sockets without using up ports.
func pair(t *testing.T) (ours net.Conn, theirs *wire) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "")
		if conns[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	_ = conns[1].SetDeadline(time.Now().Add(patience))
	return conns[0], &wire{Conn: conns[1], t: t, marked: make(chan struct{}), ended: make(chan struct{})}
}

// talk sends b, waits until all of it has been dealt with if that can be asked for, and ends
// the connection. It reports what no peer may send.
func (w *wire) talk(b []byte, ask bool) {
	w.grants = 65535 + granted(b)
	go w.read()
	_, err := w.Write(b)
	if err == nil && ask {
		if _, err = w.Write(appendPing(nil, false, [8]byte{'m'})); err == nil {
			select {
			case <-w.marked:
			case <-w.ended:
			}
		}
	}
	_ = w.Conn.(*net.UnixConn).CloseWrite() // it may have been closed under us
	<-w.ended
	_ = w.Close()
}

// read checks what the other side sends, to the end of the connection.
func (w *wire) read() {
	defer close(w.ended)
	fr := xhttp2.NewFramer(io.Discard, w.Conn)
	fr.SetMaxReadFrameSize(1 << 24) // what was allowed is not known here
	body, first := uint64(0), true
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
				w.t.Errorf("what came back can not be read: %v", err)
			}
			return
		}
		if _, ok := f.(*xhttp2.SettingsFrame); first && !ok {
			if g, ok := f.(*xhttp2.GoAwayFrame); !ok || g.ErrCode == NoError {
				w.t.Errorf("the first frame is %v", f)
			}
		}
		first = false
		switch f := f.(type) {
		case *xhttp2.DataFrame:
			if body += uint64(f.Length); body > w.grants {
				w.t.Errorf("%d bytes of body came, %d were allowed", body, w.grants)
			}
		case *xhttp2.GoAwayFrame:
			w.code.Store(uint32(f.ErrCode))
		case *xhttp2.PingFrame:
			if f.IsAck() && f.Data == [8]byte{'m'} {
				select {
				case <-w.marked: // b had such a PING, too
				default:
					close(w.marked)
				}
			}
		}
	}
}

// frames calls f for each whole frame and returns what is left.
func frames(b []byte, f func(kind xhttp2.FrameType, flags xhttp2.Flags, stream uint32, payload []byte)) (rest []byte) {
	b = bytes.TrimPrefix(b, []byte(xhttp2.ClientPreface))
	for len(b) >= 9 {
		size := 9 + int(b[0])<<16 + int(b[1])<<8 + int(b[2])
		if size > len(b) {
			break
		}
		f(xhttp2.FrameType(b[3]), xhttp2.Flags(b[4]), binary.BigEndian.Uint32(b[5:])&^(1<<31), b[9:size])
		b = b[size:]
	}
	return b
}

// whole says whether b ends with a frame, and not within a head of several frames.
func whole(b []byte) bool {
	open := false
	rest := frames(b, func(kind xhttp2.FrameType, flags xhttp2.Flags, _ uint32, _ []byte) {
		if kind == xhttp2.FrameHeaders || kind == xhttp2.FrameContinuation {
			open = flags&xhttp2.FlagHeadersEndHeaders == 0
		}
	})
	return !open && len(rest) == 0
}

// granted sums up the WINDOW_UPDATE frames for the connection.
func granted(b []byte) (n uint64) {
	frames(b, func(kind xhttp2.FrameType, _ xhttp2.Flags, stream uint32, p []byte) {
		if kind == xhttp2.FrameWindowUpdate && stream == 0 && len(p) == 4 {
			n += uint64(binary.BigEndian.Uint32(p) &^ (1 << 31))
		}
	})
	return n
}

// reference reads the heads in b as x/net does, those of a stream in their order. A head that
// x/net does not accept is nil; it stops where x/net would end the connection.
func reference(b []byte) map[uint32][]*xhttp2.MetaHeadersFrame {
	all := map[uint32][]*xhttp2.MetaHeadersFrame{}
	fr := xhttp2.NewFramer(io.Discard, bytes.NewReader(bytes.TrimPrefix(b, []byte(xhttp2.ClientPreface))))
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	fr.MaxHeaderListSize = 1 << 20
	fr.SetMaxReadFrameSize(16384)
	for {
		f, err := fr.ReadFrame()
		var se xhttp2.StreamError
		switch {
		case errors.As(err, &se):
			all[se.StreamID] = append(all[se.StreamID], nil)
		case err != nil:
			return all
		}
		if m, ok := f.(*xhttp2.MetaHeadersFrame); ok && err == nil {
			all[m.StreamID] = append(all[m.StreamID], m)
		}
	}
}
