package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// ahead is how many messages of a stream are on their way at a time.
const ahead = 4

// talk is a stream on which numbered messages go to and fro.
type talk struct {
	send func(text string) error
	recv func() (string, error)
	// bye ends the stream in peace, and says so when the other side did not agree.
	bye func() error
}

// run sends messages and wants each back in its turn, until last is closed and a few more
// have made it there and back. It returns how many were sent.
func (k talk) run(name string, last <-chan struct{}) (sent int, err error) {
	pause := time.NewTicker(150 * time.Millisecond)
	defer pause.Stop()
	more := -1 // messages still to be sent; negative: no end yet
	for got := 0; more != 0 || got < sent; {
		if more != 0 {
			if err := k.send(fmt.Sprint(name, " ", sent)); err != nil {
				return sent, fmt.Errorf("send: %w", err)
			}
			sent++
			more = max(more-1, -1)
		}
		if sent-got < ahead && more != 0 {
			continue
		}
		text, err := k.recv()
		if err != nil {
			return sent, fmt.Errorf("receive: %w", err)
		}
		if want := fmt.Sprint(name, " ", got); text != want {
			return sent, fmt.Errorf("%q came instead of %q", text, want)
		}
		got++
		if more >= 0 {
			continue
		}
		select {
		case <-last:
			more = 2 * ahead
		case <-pause.C:
		}
	}
	return sent, k.bye()
}

// talks opens WebSockets and streams of gRPC through the proxy at addr.
func talks(ctx context.Context, t *testing.T, addr string, sockets, calls int) (all []talk) {
	t.Helper()
	for range sockets {
		c, _, err := websocket.Dial(ctx, "ws://"+addr+"/chat", &websocket.DialOptions{Host: "shop.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.CloseNow() })
		all = append(all, talk{
			send: func(text string) error { return c.Write(ctx, websocket.MessageText, []byte(text)) },
			recv: func() (string, error) {
				_, b, err := c.Read(ctx)
				return string(b), err
			},
			bye: func() error { return c.Close(websocket.StatusNormalClosure, "") },
		})
	}
	var cc *grpc.ClientConn
	for i := range calls {
		if i%10 == 0 { // streams share a connection
			var err error
			cc, err = grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("shop.example.com"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cc.Close() })
		}
		s, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Talks/Both")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, callTalk(s))
	}
	return all
}

func callTalk(s grpc.ClientStream) talk {
	recv := func() (string, error) {
		m := new(wrapperspb.StringValue)
		err := s.RecvMsg(m)
		return m.Value, err
	}
	return talk{
		send: func(text string) error {
			err := s.SendMsg(wrapperspb.String(text))
			if errors.Is(err, io.EOF) { // receiving says why
				_, err = recv()
			}
			return err
		},
		recv: recv,
		bye: func() error {
			if err := s.CloseSend(); err != nil {
				return err
			}
			if text, err := recv(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("%q, %w at the end", text, err)
			}
			return nil
		},
	}
}

// listeners are the far ends of all talks: they send back what they hear and keep count.
type listeners struct {
	mu     sync.Mutex
	next   map[string]int // the number that a talk's next message must have; guarded by mu
	faults []string       // guarded by mu
}

// hear counts a message.
func (l *listeners) hear(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := strings.LastIndexByte(text, ' ')
	name, number := text[:max(at, 0)], text[at+1:]
	if want := strconv.Itoa(l.next[name]); number != want && len(l.faults) < 5 {
		l.faults = append(l.faults, fmt.Sprintf("%q was heard, not number %s", text, want))
	}
	l.next[name]++
}

// atLeast says whether so many talks have sent so many messages.
func (l *listeners) atLeast(talks, messages int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, m := range l.next {
		if m >= messages {
			n++
		}
	}
	if n < talks {
		return fmt.Errorf("%d of %d talks have begun", n, talks)
	}
	return nil
}

// socketServer starts an endpoint for WebSockets and returns its address.
func (l *listeners) socketServer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		for {
			kind, b, err := c.Read(context.Background())
			if err != nil {
				return
			}
			l.hear(string(b))
			if err := c.Write(context.Background(), kind, b); err != nil {
				return
			}
		}
	})}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	return ln.Addr().String()
}

// callServer starts an endpoint for gRPC and returns its address.
func (l *listeners) callServer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	srv.RegisterService(&grpc.ServiceDesc{ServiceName: "test.Talks", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: "Both", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			for {
				m := new(wrapperspb.StringValue)
				err := s.RecvMsg(m)
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err == nil {
					l.hear(m.Value)
					err = s.SendMsg(m)
				}
				if err != nil {
					return err
				}
			}
		}},
	}}, nil)
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(srv.Stop)
	return ln.Addr().String()
}

// expectBody wants an answer with exactly this body.
func expectBody(url, host, want string) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err == nil && string(b) != want {
		err = fmt.Errorf("%s answers %q", url, b)
	}
	return err
}
