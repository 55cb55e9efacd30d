package health

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func quietSelf() *self { return newSelf(slog.New(slog.NewTextHandler(io.Discard, nil))) }

const second = int64(time.Second)

// key is that of an endpoint of an upstream of that name.
func silentKey(upstream, address string) gateway.EndpointKey {
	return gateway.EndpointKey{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: upstream}, Address: address}
}

var (
	noAnswer = Result{Err: "no answer within 1s", Silent: true, Latency: time.Second}
	refused  = Result{Err: "connection refused"}
	wellDone = Result{Status: 200}
)

// Each step is a probe's result at a second, and whether it is void.
func TestDarkness(t *testing.T) {
	type step struct {
		at                int64
		upstream, address string
		r                 Result
		void              bool
	}
	for _, c := range []struct {
		name  string
		alone bool
		steps []step
	}{
		{"one endpoint is away, others answer", false, []step{
			{1, "a", "10.0.0.1:80", wellDone, false}, {2, "b", "10.0.0.2:80", wellDone, false},
			{10, "b", "10.0.0.2:80", wellDone, false}, {10, "a", "10.0.0.1:80", noAnswer, false},
			{12, "a", "10.0.0.1:80", noAnswer, true}, // nobody was heard since
			{13, "b", "10.0.0.2:80", wellDone, false}, {14, "a", "10.0.0.1:80", noAnswer, false}, {30, "a", "10.0.0.1:80", noAnswer, false},
		}},
		{"everybody is away", false, []step{
			{1, "a", "10.0.0.1:80", wellDone, false}, {2, "b", "10.0.0.2:80", wellDone, false},
			{10, "a", "10.0.0.1:80", noAnswer, true}, {11, "b", "10.0.0.2:80", noAnswer, true},
			{12, "a", "10.0.0.1:80", noAnswer, true}, {60, "a", "10.0.0.1:80", noAnswer, true}, {600, "b", "10.0.0.2:80", noAnswer, true},
		}},
		{"a refused connection is a sign of life", false, []step{
			{10, "a", "10.0.0.1:80", noAnswer, true}, {11, "b", "10.0.0.2:80", refused, false},
			{12, "a", "10.0.0.1:80", noAnswer, false}, {13, "a", "10.0.0.1:80", noAnswer, false},
		}},
		{"another upstream that says nothing for too long", false, []step{
			{10, "a", "10.0.0.1:80", noAnswer, true}, {12, "a", "10.0.0.1:80", noAnswer, true}, {17, "a", "10.0.0.1:80", noAnswer, false},
		}},
		{"two upstreams on one machine", false, []step{
			{10, "a", "10.0.0.1:80", noAnswer, true}, {11, "b", "10.0.0.1:81", noAnswer, true},
			{17, "a", "10.0.0.1:80", noAnswer, false}, {18, "b", "10.0.0.1:81", noAnswer, false},
		}},
		{"the only upstream", true, []step{
			{10, "a", "10.0.0.1:80", noAnswer, false}, {11, "a", "10.0.0.2:80", noAnswer, false},
		}},
		{"the probe under way when the cut comes is one failure at most", false, []step{
			{10, "b", "10.0.0.2:80", Result{Status: 200, Latency: time.Second}, false}, {10, "a", "10.0.0.1:80", Result{Err: "no answer within 2s", Silent: true, Latency: 2 * time.Second}, false},
			{12, "a", "10.0.0.1:80", noAnswer, true}, {13, "b", "10.0.0.2:80", noAnswer, true}, {40, "a", "10.0.0.1:80", noAnswer, true},
		}},
		{"what was under way when the cut ends is void", false, []step{
			{10, "a", "10.0.0.1:80", noAnswer, true}, {11, "b", "10.0.0.2:80", noAnswer, true}, {12, "c", "10.0.0.3:80", noAnswer, true},
			{20, "b", "10.0.0.2:80", wellDone, false}, {20, "a", "10.0.0.1:80", noAnswer, true},
			{22, "a", "10.0.0.1:80", noAnswer, true}, {24, "a", "10.0.0.1:80", noAnswer, true},
			{25, "b", "10.0.0.2:80", wellDone, false}, {26, "a", "10.0.0.1:80", noAnswer, false},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := quietSelf()
				for _, st := range c.steps {
					time.Sleep(time.Duration(st.at*second - s.now()))
					if got := s.probe(silentKey(st.upstream, st.address), st.r, 6*time.Second, c.alone, s.now()); got != st.void {
						t.Errorf("at %ds, %s of %s: void is %t", st.at, st.address, st.upstream, got)
					}
				}
			})
		})
	}
}

// While the edge is cut off, failed requests are void; an answer to one ends that.
func TestCutOffRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quietSelf()
		k := silentKey("a", "10.0.0.1:80")
		request := func(status int, f gateway.Failure) bool {
			o := gateway.Outcome{EndpointKey: k, At: time.Now(), Latency: time.Millisecond, Status: status, Failure: f}
			s.listen(&o)
			return s.request(&o, s.now())
		}
		time.Sleep(time.Minute)
		if !request(0, gateway.FailureConnect) || !request(0, gateway.FailureTimeout) {
			t.Error("a failure counts though nobody was heard since the one before")
		}
		time.Sleep(time.Millisecond)
		if request(200, "") || request(502, "") || request(200, gateway.FailureReset) || request(0, gateway.FailureReset) {
			t.Error("an answer, or its end, is void")
		}
		time.Sleep(time.Millisecond)
		if request(0, gateway.FailureConnect) || !request(0, gateway.FailureConnect) {
			t.Error("one failure counts for each time that somebody was heard")
		}
		time.Sleep(grace + time.Millisecond)
		if request(0, gateway.FailureConnect) || request(0, gateway.FailureTimeout) {
			t.Error("void though nobody was heard for long: it may be the service")
		}
		time.Sleep(time.Second)
		if request(200, ""); request(0, gateway.FailureConnect) || !request(0, gateway.FailureConnect) {
			t.Error("the long silence before somebody was heard counts for the next one")
		}
		time.Sleep(time.Minute)
		s.probe(k, noAnswer, time.Minute, false, s.now())
		s.probe(silentKey("b", "10.0.0.2:80"), noAnswer, time.Minute, false, s.now())
		time.Sleep(2 * grace)
		if !s.cut.Load() || !request(0, gateway.FailureConnect) {
			t.Error("a failed request counts though nobody answers probes")
		}
		time.Sleep(time.Second)
		if request(200, "") || s.cut.Load() {
			t.Error("an answer did not end it")
		}
		if !request(0, gateway.FailureConnect) {
			t.Error("a failure counts while the network settles")
		}
		time.Sleep(settling + time.Second)
		if request(200, ""); request(0, gateway.FailureConnect) {
			t.Error("void though the edge is well again")
		}
	})
}

// The heart notices a pause, and so does a failure that comes before it beats again. What began
// before the end of the pause is void.
func TestHeart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quietSelf()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go s.run(ctx)
		k := silentKey("a", "10.0.0.1:80")
		failed := func(took time.Duration) bool {
			return s.request(&gateway.Outcome{EndpointKey: k, At: time.Now(), Latency: took, Failure: gateway.FailureTimeout}, s.now())
		}
		time.Sleep(10 * time.Second)
		s.alive(s.now()) // somebody else answers
		if failed(5 * time.Second); s.paused.Load() != 0 || s.voidPaused.Load() != 0 {
			t.Fatal("a pause though the heart beats")
		}
		s.beat.Store(s.now() - 3*second) // what a process sees that was stopped for three seconds
		if !failed(5 * time.Second) {
			t.Error("a request from before the pause counts")
		}
		if r := noAnswer; !s.probe(k, r, time.Minute, true, s.now()) {
			t.Error("a probe from before the pause counts")
		}
		time.Sleep(5 * time.Second)
		if failed(time.Second); s.probe(k, noAnswer, time.Minute, true, s.now()) || s.voidPaused.Load() != 2 {
			t.Error("void though it began after the pause")
		}
		if n := s.paused.Load(); n != 1 {
			t.Errorf("%d pauses", n)
		}
		s.beat.Store(s.now() - 3*second)
		time.Sleep(beatEvery)
		synctest.Wait()
		if n := s.paused.Load(); n != 2 {
			t.Errorf("the heart has not noticed: %d pauses", n)
		}
		stop()
		synctest.Wait()
		time.Sleep(time.Minute)
		if failed(time.Second); s.voidPaused.Load() != 2 {
			t.Error("a heart that has stopped for good is no pause")
		}
	})
}

// Through Health: five timeouts of the time of a pause eject nobody, and five later ones do.
func TestPauseEjectsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l listener
		h := New(Config{Node: "edge-1", Report: l.report, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		h.Apply(snapshot(effective(passiveOnly, "e1", "e2")))
		stop := running(t, h)
		defer stop()
		observe(h, "e1", 200, 1)
		observe(h, "e2", 200, 1)
		timeouts := func() {
			for range 5 {
				time.Sleep(time.Millisecond)
				observe(h, "e2", 200, 1)
				o := outcome("e1", 0)
				o.Failure, o.Latency = gateway.FailureReset, time.Second
				h.Observe(o)
			}
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		l.take()
		h.self.beat.Store(h.self.now() - 3*second)
		if timeouts(); text(l.take()) != "" {
			t.Error("ejected for the edge's own pause")
		}
		time.Sleep(2 * time.Second)
		if timeouts(); text(l.take()) != "e1 ejected" {
			t.Error("not ejected after the pause")
		}
	})
}

func TestSilence(t *testing.T) {
	over, stop := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer stop()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want bool
	}{
		{over, io.EOF, true},
		{context.Background(), os.ErrDeadlineExceeded, true},
		{context.Background(), &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}, true},
		{context.Background(), &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, false},
		{context.Background(), &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, false},
		{context.Background(), errors.New("status 503, expected 200-399"), false},
	} {
		if got := silence(c.ctx, c.err); got != c.want {
			t.Errorf("%v: %t", c.err, got)
		}
	}
}
