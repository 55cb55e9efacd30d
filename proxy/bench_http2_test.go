package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// leanClient asks over HTTP/2 and allocates nothing for it.
type leanClient struct {
	c     *client
	br    *bufio.Reader
	ask   []byte // a HEADERS frame; its stream is set for each request
	next  uint32
	frame [9]byte
}

// dialLean connects. What it asks has a body of so many bytes, if any.
func dialLean(b *testing.B, e *edge, size int) *leanClient {
	l := &leanClient{c: e.dial(b), next: 1}
	l.br = bufio.NewReaderSize(l.c, 64<<10)
	var out, block bytes.Buffer
	out.WriteString(http2.ClientPreface)
	enc, fr := hpack.NewEncoder(&block), http2.NewFramer(&out, nil)
	if err := errors.Join(fr.WriteSettings(), fr.WriteWindowUpdate(0, 1<<31-1<<16)); err != nil {
		b.Fatal(err)
	}
	l.c.send(out.String())
	for range 2 { // the first block fills the table, and those after it are all the same
		block.Reset()
		fields := [][2]string{{":method", "GET"}, {":scheme", "http"}, {":path", "/a"}, {":authority", "x"}, {"user-agent", "bench"}}
		if size > 0 {
			fields[0][1], fields = "POST", append(fields, [2]string{"content-length", strconv.Itoa(size)})
		}
		for _, f := range fields {
			if err := enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
				b.Fatal(err)
			}
		}
		out.Reset()
		if err := fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: size == 0}); err != nil {
			b.Fatal(err)
		}
		for left := size; left > 0; left -= 16 << 10 {
			if err := fr.WriteData(1, left <= 16<<10, make([]byte, min(left, 16<<10))); err != nil {
				b.Fatal(err)
			}
		}
		l.ask = bytes.Clone(out.Bytes())
		l.get(b)
	}
	return l
}

// get sends a request and reads frames until the answer has ended.
func (l *leanClient) get(b *testing.B) {
	for at := 0; at < len(l.ask); at += 9 + int(binary.BigEndian.Uint32(l.ask[at:])>>8) {
		binary.BigEndian.PutUint32(l.ask[at+5:], l.next)
	}
	if _, err := l.c.Write(l.ask); err != nil {
		b.Fatal(err)
	}
	for ended := false; !ended; {
		if _, err := io.ReadFull(l.br, l.frame[:]); err != nil {
			b.Fatal(err)
		}
		size := int(binary.BigEndian.Uint32(l.frame[:]) >> 8)
		if _, err := l.br.Discard(size); err != nil {
			b.Fatal(err)
		}
		kind, flags := http2.FrameType(l.frame[3]), http2.Flags(l.frame[4])
		switch kind {
		case http2.FrameRSTStream, http2.FrameGoAway:
			b.Fatalf("the proxy sent %s", kind)
		case http2.FrameHeaders, http2.FrameData:
			ended = flags.Has(http2.FlagDataEndStream)
		}
	}
	l.next += 2
}

// In the steady state a request over HTTP/2 allocates next to nothing.
func BenchmarkProxiedRequestHTTP2(b *testing.B) {
	e := before(b, leanOrigin(b, hello))
	e.cfg.Observer = nil
	l := dialLean(b, e, 0)
	steady(b, func() { l.get(b) })
}

// readingOrigin says hello to each body of that size, and allocates nothing for it.
func readingOrigin(b *testing.B, size int) *origin {
	return startOrigin(b, func(_ *origin, c net.Conn) {
		got, end := make([]byte, 64<<10), []byte("\r\n\r\n")
		for n := 0; ; {
			k, err := c.Read(got[n:])
			if err != nil {
				return
			}
			if n += k; n < size || n < size+bytes.Index(got[:n], end)+len(end) {
				continue
			}
			if _, err := io.WriteString(c, hello); err != nil {
				return
			}
			n = 0
		}
	})
}

// Neither does the upload of a body that fits into a window.
func BenchmarkProxiedUploadHTTP2(b *testing.B) {
	const size = 60_000
	e := before(b, readingOrigin(b, size))
	e.cfg.Observer = nil
	l := dialLean(b, e, size)
	steady(b, func() { l.get(b) })
}

// BenchmarkProxiedUploadTLS is an upload of 60,000 bytes over HTTP/1.1 and TLS.
func BenchmarkProxiedUploadTLS(b *testing.B) {
	const size = 60_000
	s := serveTLS(b, Config{}, TLS{}, readingOrigin(b, size))
	s.use(s.cert(b, "shop", nil, "shop.test"))
	s.cfg.Observer = nil
	c := s.must(b, "shop.test", nil)
	ask := append(fmt.Appendf(nil, "POST /a HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %d\r\n\r\n", size), make([]byte, size)...)
	got := make([]byte, 4096)
	once := func() {
		if _, err := c.Write(ask); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(got); err != nil {
			b.Fatal(err)
		}
	}
	steady(b, once)
}
