package http2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// goServer is the reference server, net/http, without TLS.
func goServer(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	srv.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	return ln.Addr().String()
}

func dialClient(t testing.TB, addr string) *Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(socket.New(nc), Config{})
	ended := make(chan struct{})
	var cut atomic.Bool
	go func() {
		defer close(ended)
		if err := c.Run(nil); err != nil && !cut.Load() {
			t.Errorf("the connection ended with %v", err)
		}
	}()
	t.Cleanup(func() {
		select {
		case <-ended:
		default:
			cut.Store(true)
			c.Abort()
			<-ended
		}
	})
	return c
}

// answer reads a final head and the body.
func answer(st *Stream) (head string, body []byte, err error) {
	buf := make([]byte, 4096)
	for !strings.HasSuffix(head, "\r\n\r\n") {
		n, err := st.ReadHead(buf, socket.Now()+stall)
		if err != nil {
			return head, nil, err
		}
		head += string(buf[:n])
	}
	for {
		piece, ended, err := st.Take()
		body = append(body, piece...)
		if err != nil || ended {
			return head, body, err
		}
		if len(piece) == 0 {
			if err := st.Wait(socket.Now() + stall); err != nil {
				return head, body, err
			}
		}
	}
}

func TestClientWithTheReferenceServer(t *testing.T) {
	addr := goServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Path", r.URL.Path)
		w.Header().Set("Trailer", "X-Sum")
		n, _ := io.Copy(w, r.Body)
		if n == 0 {
			_, _ = io.WriteString(w, "hello")
		}
		w.Header().Set("X-Sum", "42")
	})
	c := dialClient(t, addr)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			body := bytes.Repeat([]byte{byte('a' + i%26)}, i*30_000)
			method := "POST"
			block := AppendRequest(nil, []byte(method), []byte("http"), []byte("example.com"), []byte("/x"))
			st, err := c.Open(block, len(body) == 0, false)
			if err != nil {
				t.Error(err)
				return
			}
			defer st.Finish()
			sent := make(chan error, 1)
			go func() {
				if len(body) == 0 {
					sent <- nil
					return
				}
				sent <- st.Send(body, true, stall)
			}()
			head, got, err := answer(st)
			if err != nil || !strings.HasPrefix(head, "HTTP/1.1 200 \r\n") || !strings.Contains(head, "\r\nx-path: /x\r\n") {
				t.Errorf("stream %d: %q, %v", i, head, err)
			}
			if len(body) > 0 && !bytes.Equal(got, body) || len(body) == 0 && string(got) != "hello" {
				t.Errorf("stream %d: %d bytes of %d", i, len(got), len(body))
			}
			if err := <-sent; err != nil {
				t.Errorf("stream %d: %v", i, err)
			}
			if string(st.Trailers()) != "0\r\nx-sum: 42\r\n\r\n" {
				t.Errorf("trailers %q", st.Trailers())
			}
		})
	}
	wg.Wait()
	if open, room := c.Load(); open != 0 || !room {
		t.Errorf("%d streams are left, room %v", open, room)
	}
}

// A peer that resets tells so, and its connection goes on.
func TestResetIsTold(t *testing.T) {
	addr := goServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		<-r.Context().Done()
	})
	c := dialClient(t, addr)
	st, err := c.Open(AppendRequest(nil, []byte("GET"), []byte("http"), []byte("a"), []byte("/abort")), true, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := answer(st); !errors.Is(err, ErrReset) || st.Code() != Internal {
		t.Errorf("%v, code %v", err, st.Code())
	}
	st.Finish()
	if !c.Alive() {
		t.Errorf("the connection ended")
	}
	st, err = c.Open(AppendRequest(nil, []byte("GET"), []byte("http"), []byte("a"), []byte("/wait")), true, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.ReadHead(make([]byte, 10), socket.Now()+1e7); !errors.Is(err, socket.ErrTimeout) {
		t.Errorf("a wait ended with %v", err)
	}
	st.Finish()
}

// An exchange may be given up at any moment, also while its answer is decoded.
func TestFinishWhileTheAnswerComes(t *testing.T) {
	addr := goServer(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 100 { // takes a while to decode
			w.Header().Set(fmt.Sprint("X-", i), "value")
		}
	})
	c := dialClient(t, addr)
	for i := range 500 {
		st, err := c.Open(get("/"), true, false)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * time.Microsecond)
		st.Finish()
	}
}

// Any number of streams may be given up at once in the midst of their bodies: what is still on
// its way for them harms no other stream.
func TestManyGiveUpAtOnce(t *testing.T) {
	addr := goServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/last" {
			_, _ = io.WriteString(w, "hello")
			return
		}
		for r.Context().Err() == nil {
			_, _ = w.Write(make([]byte, 1024))
			w.(http.Flusher).Flush()
		}
	})
	c := dialClient(t, addr)
	var flows, ends sync.WaitGroup
	for range 100 {
		st, err := c.Open(get("/"), true, false)
		if err != nil {
			t.Fatal(err)
		}
		flows.Add(1)
		ends.Go(func() {
			defer st.Finish()
			for got := 0; got < 100<<10; {
				piece, _, err := st.Take()
				if got += len(piece); err == nil && len(piece) == 0 {
					err = st.Wait(socket.Now() + stall)
				}
				if err != nil {
					t.Error(err)
					break
				}
			}
			flows.Done()
			flows.Wait()
		})
	}
	ends.Wait()
	for range 20 {
		st, err := c.Open(get("/last"), true, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, body, err := answer(st); err != nil || string(body) != "hello" {
			t.Fatalf("%q, %v", body, err)
		}
		st.Finish()
	}
}

// Heads that need several frames each are no flood as long as their exchanges end well.
func TestManyLongHeads(t *testing.T) {
	long := strings.Repeat("x", 20_000)
	addr := goServer(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Long", long) })
	c := dialClient(t, addr)
	for i := range 2 * c.cfg.Glitches {
		st, err := c.Open(get("/"), true, false)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		buf := make([]byte, 32<<10)
		if _, err := st.ReadHead(buf, socket.Now()+stall); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		st.Finish()
	}
}

// A connection whose stream numbers are used up, after a billion requests, makes room for another.
func TestNumbersUsedUp(t *testing.T) {
	c := dialClient(t, goServer(t, func(http.ResponseWriter, *http.Request) {}))
	c.mu.Lock()
	c.next = 1<<31 - 1
	c.mu.Unlock()
	get := AppendRequest(nil, []byte("GET"), []byte("http"), []byte("a"), []byte("/"))
	st, err := c.Open(get, true, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := answer(st); err != nil {
		t.Error(err)
	}
	if _, err := c.Open(get, true, false); !errors.Is(err, ErrClosed) || c.Alive() {
		t.Errorf("one more: %v, alive %v", err, c.Alive())
	}
	st.Finish()
}

// An endpoint may send what crosses a reset, and no more heads than that for streams that have ended.
func TestFloodOfAnEndpoint(t *testing.T) {
	ours, theirs := net.Pipe()
	_ = theirs.SetDeadline(time.Now().Add(patience))
	c := NewClient(socket.New(ours), Config{Glitches: 50})
	ended := make(chan error, 1)
	go func() { ended <- c.Run(nil) }()
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	st, err := c.Open(get("/"), true, false)
	if err != nil {
		t.Fatal(err)
	}
	st.Finish()
	r := &raw{theirs, xhttp2.NewFramer(theirs, nil), t}
	_ = r.WriteSettings()
	for range 100 {
		if r.open(1, AppendStatus(nil, 200), false) != nil {
			break
		}
	}
	if err := <-ended; CodeOf(err) != CalmDown {
		t.Errorf("the connection ended with %v", err)
	}
}
