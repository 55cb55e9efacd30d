package http2

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

const (
	patience = 30 * time.Second
	stall    = int64(20 * time.Second)
)

// lead reads the first line and the fields of a head.
func lead(head []byte) (line string, fields textproto.MIMEHeader) {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(head)))
	line, _ = r.ReadLine()
	fields, _ = r.ReadMIMEHeader()
	return line, fields
}

// echo answers with the body it gets, and with trailers where the request had some.
func echo(st *Stream) {
	line, fields := lead(st.Head())
	block := AppendStatus(nil, 200)
	block = AppendField(block, []byte("X-Line"), []byte(line))
	block = AppendField(block, []byte("Content-Type"), []byte(fields.Get("Content-Type")))
	if st.Ended {
		if st.SendHead(block, false, stall) == nil {
			_ = st.Send([]byte("hello"), true, stall)
		}
		return
	}
	if st.SendHead(block, false, stall) != nil {
		return
	}
	for {
		piece, ended, err := st.Take()
		if err == nil && len(piece) > 0 {
			err = st.Send(piece, false, stall)
		}
		if err != nil {
			return
		}
		if ended {
			break
		}
		if len(piece) == 0 && st.Wait(socket.Now()+stall) != nil {
			return
		}
	}
	if t := st.Trailers(); len(t) > 0 {
		_, fields := lead(t)
		_ = st.SendHead(AppendField(nil, []byte("x-trailer"), []byte(fields.Get("X-Trailer"))), true, stall)
		return
	}
	_ = st.Send(nil, true, stall)
}

// serveOn starts a server on a fresh port and returns its address.
func serveOn(t testing.TB, cfg Config, serve func(*Stream)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			c := NewServer(socket.New(nc), cfg, serve)
			t.Cleanup(c.Abort)
			go func() { _ = c.Run(nil) }()
		}
	}()
	return ln.Addr().String()
}

// goClient is the reference client, net/http, with prior knowledge of HTTP/2.
func goClient() *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Timeout: patience, Transport: tr}
}

// raw is a client that sends frames as it likes.
type raw struct {
	net.Conn
	*xhttp2.Framer
	t testing.TB
}

// dialRaw connects and exchanges settings.
func dialRaw(t testing.TB, addr string) *raw {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	r := &raw{c, xhttp2.NewFramer(c, c), t}
	if _, err := io.WriteString(c, xhttp2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return r
}

// get is a GET's header block.
func get(path string, more ...string) []byte {
	b := AppendRequest(nil, []byte("GET"), []byte("http"), []byte("example.com"), []byte(path))
	for i := 0; i+1 < len(more); i += 2 {
		b = AppendField(b, []byte(more[i]), []byte(more[i+1]))
	}
	return b
}

func (r *raw) open(id uint32, block []byte, end bool) error {
	return r.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, EndStream: end})
}

// ending reads to the end of the connection and returns the code of the last GOAWAY.
func (r *raw) ending() (code xhttp2.ErrCode, err error) {
	code = 0xff
	for {
		f, err := r.ReadFrame()
		if g, ok := f.(*xhttp2.GoAwayFrame); ok && err == nil {
			code = g.ErrCode
		}
		if err != nil {
			if errors.Is(err, io.EOF) || strings.Contains(err.Error(), "reset") {
				err = nil
			}
			return code, err
		}
	}
}

// mark sends a PING and reads until it is answered, which says that everything before it has
// been dealt with. It returns the code of a GOAWAY that comes instead, else 0xff.
func (r *raw) mark() xhttp2.ErrCode {
	if r.WritePing(false, [8]byte{'m'}) != nil {
		return 0xff
	}
	for {
		f, err := r.ReadFrame()
		if err != nil {
			return 0xff
		}
		switch f := f.(type) {
		case *xhttp2.GoAwayFrame:
			return f.ErrCode
		case *xhttp2.PingFrame:
			if f.IsAck() && f.Data[0] == 'm' {
				return 0xff
			}
		}
	}
}
