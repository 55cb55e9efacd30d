package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
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

func dialLean(b *testing.B, e *edge) *leanClient {
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
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":path", "/a"}, {":authority", "x"}, {"user-agent", "bench"}} {
			if err := enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
				b.Fatal(err)
			}
		}
		out.Reset()
		if err := fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}); err != nil {
			b.Fatal(err)
		}
		l.ask = bytes.Clone(out.Bytes())
		l.get(b)
	}
	return l
}

// get sends a request and reads frames until the answer has ended.
func (l *leanClient) get(b *testing.B) {
	binary.BigEndian.PutUint32(l.ask[5:], l.next)
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
	l := dialLean(b, e)
	for range 100 {
		l.get(b)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.get(b)
	}
}
