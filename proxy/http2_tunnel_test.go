package proxy

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http2"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// extendedConnect opens a stream for a protocol, RFC 8441.
func extendedConnect(t *testing.T, addr, protocol string) *http2.Stream {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := http2.NewClient(socket.New(nc), http2.Config{})
	t.Cleanup(c.Abort)
	go func() { _ = c.Run(nil) }()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "CONNECT"}, {":protocol", protocol}, {":scheme", "http"}, {":path", "/chat"}, {":authority", "x"}, {"sec-websocket-version", "13"}} {
		if err := enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			t.Fatal(err)
		}
	}
	st, err := c.Open(block.Bytes(), false, false)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func headOf(t *testing.T, st *http2.Stream) string {
	t.Helper()
	b := make([]byte, 4096)
	n, err := st.ReadHead(b, socket.Now()+int64(patience))
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// read takes n bytes of body.
func read(t *testing.T, st *http2.Stream, n int) (got []byte) {
	t.Helper()
	for len(got) < n {
		piece, ended, err := st.Take()
		got = append(got, piece...)
		if err == nil && len(piece) == 0 && !ended {
			err = st.Wait(socket.Now() + int64(patience))
		}
		if err != nil || ended && len(got) < n {
			t.Fatalf("%q, ended %v, %v", got, ended, err)
		}
	}
	return got
}

// WebSocket over HTTP/2 reaches an endpoint that speaks HTTP/1.1, and lives on through swaps.
func TestWebSocketOverHTTP2(t *testing.T) {
	o := httpOrigin(t, echoSocket)
	e := before(t, o)
	st := extendedConnect(t, e.addr, "websocket")
	defer st.Finish()
	if head := headOf(t, st); !strings.HasPrefix(head, "HTTP/1.1 200 ") || strings.Contains(head, "upgrade") {
		t.Fatalf("%q", head)
	}
	for i := range 20 {
		s := snap([]string{o.addr}, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
			u.Timeouts.Idle = gateway.Duration(i + 1)
		})
		s.Generation = uint64(i + 2)
		e.Apply(s)
		text := fmt.Sprintf("hello %02d", i)
		if err := st.Send(append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...), false, int64(patience)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, st, 2+len(text)); string(got) != "\x81"+string(rune(len(text)))+text {
			t.Fatalf("%q", got)
		}
	}
}

// A tunnel that is to be asked to end may be over by then, and its stream somebody else's.
func TestAskedWhenItIsOver(t *testing.T) {
	e := before(t, httpOrigin(t, echoSocket))
	st := extendedConnect(t, e.addr, "websocket")
	headOf(t, st)
	open := func() (all []leaving) {
		e.tunnels.mu.Lock()
		defer e.tunnels.mu.Unlock()
		return slices.Collect(maps.Keys(e.tunnels.tunnels))
	}
	eventually(t, "the tunnel", func() bool { return len(open()) == 1 })
	late := open()[0]
	st.Finish()
	eventually(t, "its end", func() bool { return len(open()) == 0 })
	late.ask()
}

func TestOtherProtocolsAreRefused(t *testing.T) {
	e := before(t, rawOrigin(t, hello, false))
	for protocol, want := range map[string]string{
		"connect-udp": "501", // nothing that Sluice can switch to
		"websocket":   "502", // the endpoint answers 200 without a switch
	} {
		st := extendedConnect(t, e.addr, protocol)
		if head := headOf(t, st); !strings.HasPrefix(head, "HTTP/1.1 "+want+" ") {
			t.Errorf("%s: %q", protocol, head)
		}
		st.Finish()
	}
}
