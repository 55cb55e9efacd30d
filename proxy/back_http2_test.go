package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"google.golang.org/grpc"
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
