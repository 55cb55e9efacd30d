package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/sluice-gateway/sluice/proxy/http2"
)

// An endpoint that takes few streams on a connection gets as many connections as the calls need,
// and no stream beyond its limit: neither before it has told it nor afterwards.
func TestFewStreamsPerConnection(t *testing.T) {
	e, cc := grpcThroughWith(t, Config{}, 64<<20, grpc.MaxConcurrentStreams(3))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var open, done sync.WaitGroup
	open.Add(100)
	for i := range 100 {
		done.Go(func() {
			s, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Calls/Both")
			if err == nil {
				err = s.SendMsg(&message{Value: []byte("x")})
			}
			if err == nil {
				err = s.RecvMsg(new(message))
			}
			if err != nil {
				t.Errorf("call %d: %v", i, err)
			}
			open.Done()
			open.Wait() // all of them at a time
		})
	}
	done.Wait()
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("failures %v", fs)
	}
}

// More requests than one connection carries go to a second one.
func TestMoreStreamsThanOneConnectionTakes(t *testing.T) {
	var open sync.WaitGroup
	open.Add(200)
	addr := h2cOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/first" {
			open.Done()
			open.Wait()
		}
		_, _ = io.WriteString(w, "hello")
	})
	e := start(t, Config{}, Listener{}, snap([]string{addr}, speakH2C))
	clients := []*http.Client{priorKnowledge(t), priorKnowledge(t)}
	get := func(i int, path string) {
		resp, err := clients[i%2].Get("http://" + e.addr + path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "hello" {
			t.Errorf("%s: %d %q, %v", path, resp.StatusCode, b, err)
		}
	}
	get(0, "/first") // net/http says 250 then, more than Sluice opens
	var done sync.WaitGroup
	for i := range 200 {
		done.Go(func() { get(i, fmt.Sprint("/", i)) })
	}
	done.Wait() // the clients have a time limit
}

// frameOrigin is an endpoint that answers each request with frames as a test likes.
func frameOrigin(t testing.TB, answer func(f *xhttp2.Framer, m *xhttp2.MetaHeadersFrame)) *origin {
	return startOrigin(t, func(_ *origin, c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(xhttp2.ClientPreface))); err != nil {
			return
		}
		f := xhttp2.NewFramer(c, c)
		f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		if f.WriteSettings() != nil {
			return
		}
		for {
			fr, err := f.ReadFrame()
			if err != nil {
				return
			}
			switch fr := fr.(type) {
			case *xhttp2.SettingsFrame:
				if !fr.IsAck() && f.WriteSettingsAck() != nil {
					return
				}
			case *xhttp2.MetaHeadersFrame:
				answer(f, fr)
			}
		}
	})
}

// Some servers (hypercorn) end answers that have no body with an empty DATA frame, also those that
// tell the length it would have.
func TestAnswersWithoutBodyEndLate(t *testing.T) {
	o := frameOrigin(t, func(f *xhttp2.Framer, m *xhttp2.MetaHeadersFrame) {
		status := 200
		if m.PseudoValue("method") == "GET" {
			status = 304
		}
		block := http2.AppendField(http2.AppendStatus(nil, status), []byte("content-length"), []byte("100"))
		_ = f.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: m.StreamID, BlockFragment: block, EndHeaders: true})
		_ = f.WriteData(m.StreamID, true, nil)
	})
	e := start(t, Config{}, Listener{}, snap([]string{o.addr}, speakH2C))
	client := &http.Client{Timeout: patience, Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	for range 400 {
		for method, want := range map[string]int{"HEAD": 200, "GET": 304} {
			req, err := http.NewRequest(method, "http://"+e.addr+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want || resp.Header.Get("Content-Length") != "100" {
				t.Fatalf("%s: %d, %v", method, resp.StatusCode, resp.Header)
			}
		}
	}
	if n := o.opened(); n > 1 {
		t.Errorf("%d connections", n)
	}
}

// A call that the endpoint refused (its GOAWAY was on the way) is made again: by Sluice when all of it
// is at hand, else by the client, who is told that nothing was done.
func TestRefusedCall(t *testing.T) {
	var asked atomic.Int32
	o := frameOrigin(t, func(f *xhttp2.Framer, m *xhttp2.MetaHeadersFrame) {
		if asked.Add(1) == 1 {
			time.Sleep(50 * time.Millisecond) // until the message has been sent on
			_ = f.WriteRSTStream(m.StreamID, xhttp2.ErrCodeRefusedStream)
			return
		}
		block := http2.AppendField(http2.AppendStatus(nil, 200), []byte("content-type"), []byte("application/grpc"))
		block = http2.AppendField(block, []byte("grpc-status"), []byte("0"))
		_ = f.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: m.StreamID, BlockFragment: block, EndHeaders: true, EndStream: true})
	})
	e := start(t, Config{}, Listener{}, snap([]string{o.addr}, speakH2C))
	cc, err := grpc.NewClient("passthrough:///"+e.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	s := both(t, cc)
	if err := s.SendMsg(&message{Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(new(message)); !errors.Is(err, io.EOF) || asked.Load() != 2 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}
