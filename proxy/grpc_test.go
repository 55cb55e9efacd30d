package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
)

type message = wrapperspb.BytesValue

// calls is a service of all four kinds, without generated code.
var calls = grpc.ServiceDesc{
	ServiceName: "test.Calls", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: func(_ any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(message)
		if err := read(in); err != nil {
			return nil, err
		}
		switch string(in.Value) {
		case "fail":
			return nil, status.Error(codes.FailedPrecondition, "as asked: 100% failed")
		case "open":
			_ = grpc.SetHeader(ctx, metadata.Pairs("x-early", " yes "))
			return nil, status.Error(codes.NotFound, "as it stands: ")
		case "wait":
			<-ctx.Done()
			return nil, ctx.Err()
		}
		_ = grpc.SetTrailer(ctx, metadata.Pairs("x-late", "yes"))
		return in, nil
	}}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Down", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			in := new(message)
			if err := s.RecvMsg(in); err != nil {
				return err
			}
			for i := range 20 {
				if err := s.SendMsg(&message{Value: fmt.Appendf(nil, "%s %d", in.Value, i)}); err != nil {
					return err
				}
			}
			return nil
		}},
		{StreamName: "Up", ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			sum := 0
			for {
				in := new(message)
				err := s.RecvMsg(in)
				if errors.Is(err, io.EOF) {
					return s.SendMsg(&message{Value: fmt.Append(nil, sum)})
				}
				if err != nil {
					return err
				}
				sum += len(in.Value)
			}
		}},
		{StreamName: "Both", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			for {
				in := new(message)
				err := s.RecvMsg(in)
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err == nil {
					err = s.SendMsg(in)
				}
				if err != nil {
					return err
				}
			}
		}},
	},
}

// grpcThrough starts a server of google.golang.org/grpc, a proxy before it and a client.
func grpcThrough(t *testing.T) (*edge, *grpc.ClientConn) { return grpcThroughWith(t, Config{}, 64<<20) }

func grpcThroughWith(t *testing.T, cfg Config, maxBody gateway.Size, opts ...grpc.ServerOption) (*edge, *grpc.ClientConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(append(opts, grpc.MaxRecvMsgSize(8<<20))...)
	srv.RegisterService(&calls, nil)
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(srv.Stop)
	e := start(t, cfg, Listener{}, snap([]string{ln.Addr().String()}, func(u *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		speakH2C(u, r)
		r.MaxBodySize = maxBody
	}))
	cc, err := grpc.NewClient("passthrough:///"+e.addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(8<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return e, cc
}

func TestGRPC(t *testing.T) {
	e, cc := grpcThrough(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	t.Run("unary", func(t *testing.T) {
		for _, size := range []int{0, 5, 70_000, 4 << 20} {
			in, out, late := &message{Value: bytes.Repeat([]byte{'x'}, size)}, new(message), metadata.MD{}
			if err := cc.Invoke(ctx, "/test.Calls/Unary", in, out, grpc.Trailer(&late)); err != nil || !bytes.Equal(in.Value, out.Value) || late.Get("x-late") == nil {
				t.Errorf("%d bytes: %d came back, trailer %v, %v", size, len(out.Value), late, err)
			}
		}
		err := cc.Invoke(ctx, "/test.Calls/Unary", &message{Value: []byte("fail")}, new(message))
		if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "as asked: 100% failed" {
			t.Errorf("%v", err)
		}
	})
	t.Run("spaces", func(t *testing.T) { // around what the server says: a message often ends with one
		early := metadata.MD{}
		err := cc.Invoke(ctx, "/test.Calls/Unary", &message{Value: []byte("open")}, new(message), grpc.Header(&early))
		if s := status.Convert(err); s.Code() != codes.NotFound || s.Message() != "as it stands:" || strings.Join(early.Get("x-early"), ",") != "yes" {
			t.Errorf("%v, %v", err, early)
		}
	})
	t.Run("streams", func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 100 { // at a time
			wg.Go(func() { bothWays(ctx, t, cc, fmt.Sprint("stream ", i)) })
		}
		wg.Wait()
		s, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/test.Calls/Down")
		if err == nil {
			err = errors.Join(s.SendMsg(&message{Value: []byte("n")}), s.CloseSend())
		}
		for i := range 20 {
			out := new(message)
			if err == nil {
				err = s.RecvMsg(out)
			}
			if want := fmt.Sprint("n ", i); err != nil || string(out.Value) != want {
				t.Fatalf("%q, %v", out.Value, err)
			}
		}
		if err := s.RecvMsg(new(message)); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
		up, err := cc.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, "/test.Calls/Up")
		for range 50 {
			if err == nil {
				err = up.SendMsg(&message{Value: make([]byte, 10_000)})
			}
		}
		out := new(message)
		if err = errors.Join(err, up.CloseSend(), up.RecvMsg(out)); err != nil || string(out.Value) != "500000" {
			t.Errorf("%q, %v", out.Value, err)
		}
	})
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("failures %v", fs)
	}
}

// both opens a call of which either side may send whenever it likes.
func both(t *testing.T, cc *grpc.ClientConn) grpc.ClientStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	s, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Calls/Both")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Who calls may listen for as long as it likes without a word: a watch is no slow upload.
func TestGRPCSilentClient(t *testing.T) {
	_, cc := grpcThroughWith(t, Config{BodyTimeout: 100 * time.Millisecond, MinBodyRate: 1000, RateGrace: 100 * time.Millisecond}, 64<<20)
	s := both(t, cc)
	for i := range 3 {
		time.Sleep(300 * time.Millisecond)
		in, out := &message{Value: []byte("x")}, new(message)
		if err := errors.Join(s.SendMsg(in), s.RecvMsg(out)); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}

// A call that has been answered in part ends with a status when it sends more than it may.
func TestGRPCTooMuch(t *testing.T) {
	_, cc := grpcThroughWith(t, Config{}, 1000)
	s := both(t, cc)
	if err := errors.Join(s.SendMsg(&message{Value: make([]byte, 500)}), s.RecvMsg(new(message)), s.SendMsg(&message{Value: make([]byte, 500)})); err != nil {
		t.Fatal(err)
	}
	err := s.RecvMsg(new(message))
	if got := status.Convert(err); got.Code() != codes.ResourceExhausted || !strings.Contains(got.Message(), "body_size") {
		t.Errorf("%v", err)
	}
}

// A peer that measures the way by a PING in each round trip while data comes, as those of gRPC
// do, is no flood.
func TestGRPCLongStreams(t *testing.T) {
	_, cc := grpcThroughWith(t, Config{}, 1<<30)
	s := both(t, cc)
	const messages = 150_000
	var wg sync.WaitGroup
	wg.Go(func() {
		for range messages {
			if err := s.SendMsg(&message{Value: make([]byte, 1000)}); err != nil {
				t.Error(err)
				return
			}
		}
		_ = s.CloseSend()
	})
	for i := range messages {
		if err := s.RecvMsg(new(message)); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	wg.Wait()
}

// bothWays sends and receives in turns on one stream.
func bothWays(ctx context.Context, t *testing.T, cc *grpc.ClientConn, text string) {
	s, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Calls/Both")
	if err != nil {
		t.Error(err)
		return
	}
	for i := range 20 {
		in, out := &message{Value: fmt.Appendf(nil, "%s %d", text, i)}, new(message)
		if err := errors.Join(s.SendMsg(in), s.RecvMsg(out)); err != nil || !bytes.Equal(in.Value, out.Value) {
			t.Errorf("%s: %q, %v", text, out.Value, err)
			return
		}
	}
	if err := errors.Join(s.CloseSend()); err != nil {
		t.Error(err)
	}
	if err := s.RecvMsg(new(message)); !errors.Is(err, io.EOF) {
		t.Errorf("%s at the end: %v", text, err)
	}
}

// Deadlines end calls on both sides, a client that cancels ends them, and what the proxy has
// to say itself is a status of gRPC.
func TestGRPCEnds(t *testing.T) {
	e, cc := grpcThrough(t)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := cc.Invoke(ctx, "/test.Calls/Unary", &message{Value: []byte("wait")}, new(message)); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a deadline: %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := cc.Invoke(ctx, "/test.Calls/Unary", &message{Value: []byte("wait")}, new(message)); status.Code(err) != codes.Canceled {
		t.Errorf("a cancellation: %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := cc.Invoke(ctx, "/test.Calls/Nothing", &message{}, new(message)); status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown method: %v", err)
	}
	e.Apply(snap(nil, speakH2C))
	if err := cc.Invoke(ctx, "/test.Calls/Unary", &message{}, new(message)); status.Code(err) != codes.Unavailable {
		t.Errorf("no endpoint: %v", err)
	}
	ep := e.observed.failures()
	if len(ep) > 1 { // the deadline may be the endpoint's fault
		t.Errorf("failures %v", ep)
	}
}
