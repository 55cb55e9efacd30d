package proxy

import (
	"io"
	"net"
	"slices"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/proxy/http2"
)

// theListener is the edge's only one.
func (e *edge) theListener(t testing.TB) (l *listener) {
	t.Helper()
	eventually(t, "the listener is there", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		if len(e.listeners) > 0 {
			l = e.listeners[0]
		}
		return l != nil
	})
	return l
}

// frames is a client that sends and reads HTTP/2 frames as a test likes.
type frames struct {
	net.Conn
	*xhttp2.Framer
	t testing.TB
}

// dialFrames connects without TLS. readBuffer, if not 0, is the size of the socket's.
func (e *edge) dialFrames(t testing.TB, readBuffer int, settings ...xhttp2.Setting) *frames {
	t.Helper()
	c := e.dial(t).Conn
	if readBuffer > 0 {
		_ = c.(*net.TCPConn).SetReadBuffer(readBuffer)
	}
	f := &frames{c, xhttp2.NewFramer(c, c), t}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(c, xhttp2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f.must(f.WriteSettings(settings...))
	return f
}

func (f *frames) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// ask sends a request's head; more are further fields, name and value.
func (f *frames) ask(id uint32, method string, end bool, more ...string) {
	f.t.Helper()
	block := http2.AppendRequest(nil, []byte(method), []byte("http"), []byte("x.test"), []byte("/"))
	for pair := range slices.Chunk(more, 2) {
		block = http2.AppendField(block, []byte(pair[0]), []byte(pair[1]))
	}
	f.must(f.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, EndStream: end}))
}

// streamEnding is how a stream ended.
type streamEnding struct {
	status string
	body   []byte
	reset  bool
	code   xhttp2.ErrCode
}

// until reads until the stream has ended or was reset. It grants no window.
func (f *frames) until(id uint32) (e streamEnding) {
	f.t.Helper()
	for {
		fr, err := f.ReadFrame()
		f.must(err)
		if fr.Header().StreamID != id {
			continue
		}
		switch fr := fr.(type) {
		case *xhttp2.MetaHeadersFrame:
			e.status = fr.PseudoValue("status")
			if fr.StreamEnded() {
				return e
			}
		case *xhttp2.DataFrame:
			e.body = append(e.body, fr.Data()...)
			if fr.StreamEnded() {
				return e
			}
		case *xhttp2.RSTStreamFrame:
			e.reset, e.code = true, fr.ErrCode
			return e
		}
	}
}

// steadily calls do every 10 ms until the returned function is called, or do fails.
func steadily(do func() error) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(10 * time.Millisecond):
				if do() != nil {
					return
				}
			}
		}
	}()
	return func() { close(end); <-ended }
}
