package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/gateway"
)

// draining is a proxy in front of two origins, of which a test takes the first one away.
type draining struct {
	*edge
	a, b       *origin
	time       time.Duration
	generation uint64
}

func startDraining(t *testing.T, after time.Duration, a, b *origin) *draining {
	t.Helper()
	d := &draining{a: a, b: b, time: after, generation: 1}
	d.edge = start(t, Config{}, Listener{}, d.snap(nil, a.addr))
	return d
}

func (d *draining) snap(change func(u *gateway.EffectiveUpstream), addrs ...string) *gateway.Snapshot {
	s := snap(addrs, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
		u.Drain.Timeout = gateway.Duration(d.time)
		if change != nil {
			change(u)
		}
	})
	s.Generation = d.generation
	d.generation++
	return s
}

// The ways in which an endpoint leaves.
var leaves = map[string]func(d *draining){
	"removed": func(d *draining) { d.Apply(d.snap(nil, d.b.addr)) },
	"terminating": func(d *draining) {
		d.Apply(d.snap(func(u *gateway.EffectiveUpstream) {
			u.Endpoints[0].Terminating, u.Endpoints[0].InRotation = true, false
		}, d.a.addr, d.b.addr))
	},
	"upstream gone": func(d *draining) {
		s := d.snap(nil, d.b.addr)
		s.Upstreams[0].Key.Name = "other"
		d.Apply(s)
	},
}

// A WebSocket whose endpoint left goes on for the drain time. Then its client is told so, and
// can say good bye to the endpoint.
func TestDrainTellsWebSockets(t *testing.T) {
	for name, leave := range leaves {
		t.Run(name, func(t *testing.T) {
			d := startDraining(t, 300*time.Millisecond, httpOrigin(t, echoSocket), httpOrigin(t, echoSocket))
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			c, _, err := websocket.Dial(ctx, "ws://"+d.addr+"/chat", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.CloseNow() }()
			leave(d)
			if err := c.Write(ctx, websocket.MessageText, []byte("still")); err != nil {
				t.Fatal(err)
			}
			if _, got, err := c.Read(ctx); err != nil || string(got) != "still" {
				t.Fatalf("within the drain time: %q, %v", got, err)
			}
			if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
				t.Errorf("after the drain time: %v, want close status 1001", err)
			}
			if fs := d.observed.failures(); len(fs) > 0 {
				t.Errorf("failures %v", fs)
			}
		})
	}
}

// A client that does not listen is cut after the last call, and the close frame stands
// between two frames, wherever the endpoint is.
func TestDrainCutsDeafTunnels(t *testing.T) {
	half := make(chan struct{})
	o := startOrigin(t, func(o *origin, c net.Conn) {
		br := bufio.NewReader(c)
		if _, err := o.readHead(br); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05he")
		<-half
		_, _ = io.WriteString(c, "llo\x81\x03new")
		_, _ = io.Copy(io.Discard, br)
	})
	d := startDraining(t, 100*time.Millisecond, o, rawOrigin(t, hello, false))
	c := d.dial(t)
	c.send(upgrade)
	if resp, err := http.ReadResponse(c.br, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(c.br, got); err != nil || string(got) != "\x81\x05he" {
		t.Fatalf("%q, %v", got, err)
	}
	leaves["removed"](d)
	time.Sleep(300 * time.Millisecond) // the client has been asked, in the middle of a frame
	close(half)
	if rest := c.all(); rest != "llo\x88\x02\x03\xe9" {
		t.Errorf("%q, want the rest of the frame, a close frame and nothing else", rest)
	}
}

// Answers that go on after drain time and last call are cut, whether they pause or not, and
// the endpoint is not blamed; those that end before are whole.
func TestDrainCutsAnswers(t *testing.T) {
	for name, pause := range map[string]time.Duration{"pausing": 20 * time.Millisecond, "busy": 0} {
		t.Run(name, func(t *testing.T) {
			endless := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				for piece := []byte(strings.Repeat("x", 1000)); r.Context().Err() == nil; time.Sleep(pause) {
					if _, err := w.Write(piece); err != nil {
						return
					}
					_ = http.NewResponseController(w).Flush()
				}
			})
			d := startDraining(t, 100*time.Millisecond, endless, rawOrigin(t, hello, false))
			c := d.dial(t)
			c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(c.br, nil)
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			leaves["removed"](d)
			if n, err := io.Copy(io.Discard, resp.Body); err == nil || n == 0 {
				t.Errorf("%d bytes, %v; want a part and an error", n, err)
			}
			if resp, body := d.dial(t).get("/"); resp.StatusCode != 200 || body != "hello" {
				t.Errorf("a new request gets %d %q", resp.StatusCode, body)
			}
			if fs := d.observed.failures(); len(fs) > 0 {
				t.Errorf("failures %v", fs)
			}
		})
	}
}

// A request that waits for its answer when the endpoint leaves gets it.
func TestDrainLetsRequestsFinish(t *testing.T) {
	for name, leave := range leaves {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			slow := httpOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
				<-release
				_, _ = io.WriteString(w, "late")
			})
			d := startDraining(t, time.Minute, slow, rawOrigin(t, hello, false))
			c := d.dial(t)
			c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			eventually(t, "the request is under way", func() bool { return len(slow.seen()) == 1 })
			leave(d)
			close(release)
			if resp, body := c.answer("GET"); resp.StatusCode != 200 || body != "late" {
				t.Errorf("%d %q", resp.StatusCode, body)
			}
		})
	}
}

// A request without an answer is told when the time is over.
func TestDrainEndsWaiting(t *testing.T) {
	never := httpOrigin(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	d := startDraining(t, 100*time.Millisecond, never, rawOrigin(t, hello, false))
	c := d.dial(t)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "the request is under way", func() bool { return len(never.seen()) == 1 })
	leaves["terminating"](d)
	if resp, body := c.answer("GET"); resp.StatusCode != 503 || !strings.Contains(body, "reason: drained") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if fs := d.observed.failures(); len(fs) > 0 {
		t.Errorf("failures %v", fs)
	}
}

// An endpoint that comes back before the drain time is over keeps its streams, also when it
// was out of the snapshot in between.
func TestDrainIsTakenBack(t *testing.T) {
	for name, leave := range leaves {
		if name == "upstream gone" {
			continue // what comes back is another upstream
		}
		t.Run(name, func(t *testing.T) {
			d := startDraining(t, time.Second, httpOrigin(t, echoSocket), httpOrigin(t, echoSocket))
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			c, _, err := websocket.Dial(ctx, "ws://"+d.addr+"/chat", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.CloseNow() }()
			leave(d)
			d.Apply(d.snap(nil, d.a.addr, d.b.addr))
			time.Sleep(2500 * time.Millisecond) // more than drain time and last call
			if err := c.Write(ctx, websocket.MessageText, []byte("still")); err != nil {
				t.Fatal(err)
			}
			if _, got, err := c.Read(ctx); err != nil || string(got) != "still" {
				t.Errorf("%q, %v", got, err)
			}
			leave(d)
			if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
				t.Errorf("after it left again: %v, want close status 1001", err)
			}
		})
	}
}

func TestFrames(t *testing.T) {
	long := append([]byte{0x82, 126, 1, 0}, make([]byte, 256)...)
	huge := append([]byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, make([]byte, 65536)...)
	masked := []byte{0x81, 0x82, 1, 2, 3, 4, 'a', 'b'}
	for _, frame := range [][]byte{{0x81, 0}, {0x81, 1, 'x'}, masked, long, huge} {
		stream := append(append([]byte(nil), frame...), 0x89, 0)
		for _, step := range []int{1, 3, 1000, len(stream)} {
			var f wsFrames
			for at := 0; at < len(stream); {
				piece := stream[at:min(at+step, len(stream))]
				at += f.next(piece)
				if between := at == len(frame) || at == len(stream); f.between() != between {
					t.Fatalf("frame of %d bytes in steps of %d: at %d between frames: %v", len(frame), step, at, f.between())
				}
			}
		}
	}
}

// A call of gRPC ends with a status after which its client calls again.
func TestDrainEndsCalls(t *testing.T) {
	e, cc := grpcThrough(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := &draining{edge: e, time: 100 * time.Millisecond, generation: 2}
	h2c := func(u *gateway.EffectiveUpstream) { u.Protocol = "h2c" }
	e.Apply(d.snap(h2c, e.snap.Upstreams[0].Endpoints[0].Address))
	s, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Calls/Both")
	if err != nil {
		t.Fatal(err)
	}
	in, out := &message{Value: []byte("a")}, new(message)
	if err := errors.Join(s.SendMsg(in), s.RecvMsg(out)); err != nil {
		t.Fatal(err)
	}
	e.Apply(d.snap(h2c, rawOrigin(t, hello, false).addr))
	if err := s.RecvMsg(out); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "drained") {
		t.Errorf("the call ended with %v, want Unavailable because it is drained", err)
	}
}
