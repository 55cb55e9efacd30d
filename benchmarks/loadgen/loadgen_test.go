package loadgen

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/benchmarks/origin"
)

const body = "hello"

// server answers with body over TLS or not, and counts requests.
func server(t *testing.T, secure, tickets bool) (address string, served *atomic.Int64) {
	t.Helper()
	served = new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		_, _ = io.WriteString(w, body)
	}))
	if secure {
		s.TLS = &tls.Config{SessionTicketsDisabled: !tickets}
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), served
}

func TestHandshakes(t *testing.T) {
	for _, resume := range []bool{false, true} {
		address, served := server(t, true, true)
		r, err := Run(t.Context(), Config{Kind: "handshakes", Address: address, Host: "example.com", Connections: 2, Resume: resume, Duration: 300 * time.Millisecond, Body: body}, io.Discard)
		first := int64(0)
		if resume {
			first = 2 // for the tickets
		}
		if err != nil || r.Requests == 0 || r.Requests+first != served.Load() || r.P50 <= 0 || r.P999 < r.P99 {
			t.Errorf("resume %v: %+v, %v; %d were served", resume, r, err, served.Load())
		}
	}
	address, _ := server(t, true, false)
	_, err := Run(t.Context(), Config{Kind: "handshakes", Address: address, Host: "example.com", Connections: 1, Resume: true, Duration: time.Minute}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "did not resume") {
		t.Errorf("without tickets: %v", err)
	}
}

func TestWrongAnswersEndARun(t *testing.T) {
	address, _ := server(t, true, true)
	_, err := Run(t.Context(), Config{Kind: "handshakes", Address: address, Host: "example.com", Connections: 2, Duration: time.Minute, Body: "other"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "wrong answer") {
		t.Error(err)
	}
	plain, _ := server(t, false, false)
	_, err = Run(t.Context(), Config{Kind: "websocket", Address: plain, Host: "example.com", Connections: 1, Size: 10, Duration: time.Minute}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a server without WebSocket: %v", err)
	}
	if _, err := Run(t.Context(), Config{Kind: "smoke"}, io.Discard); err == nil || !strings.Contains(err.Error(), `"smoke"`) {
		t.Error(err)
	}
}

func TestWebSocketEcho(t *testing.T) {
	var addresses [2]string
	for i := range addresses {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses[i] = ln.Addr().String()
		_ = ln.Close()
	}
	go func() { _ = origin.Run(origin.Config{Kind: "websocket", Listen: addresses[0], Status: addresses[1]}) }()
	c := Config{Kind: "websocket", Address: addresses[0], Host: "example.com", Connections: 4, Size: 100, Duration: 200 * time.Millisecond}
	var r Result
	err := io.EOF
	for deadline := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		r, err = Run(t.Context(), c, io.Discard)
	}
	if err != nil || r.Requests < 4 || r.Max < r.P50 {
		t.Errorf("%+v, %v", r, err)
	}
}

// syncWriter tells when something is written.
type syncWriter chan string

func (w syncWriter) Write(b []byte) (int, error) { w <- string(b); return len(b), nil }

func TestIdleStaysOpenUntilTheEnd(t *testing.T) {
	for _, secure := range []bool{false, true} {
		address, served := server(t, secure, true)
		ctx, cancel := context.WithCancel(t.Context())
		ready, done := make(syncWriter, 1), make(chan error, 1)
		go func() {
			_, err := Run(ctx, Config{Kind: "idle", Address: address, Host: "example.com", Secure: secure, Connections: 50, Body: body}, ready)
			done <- err
		}()
		select {
		case <-ready:
		case err := <-done:
			t.Fatal(err)
		}
		if served.Load() != 50 {
			t.Errorf("%d connections were asked", served.Load())
		}
		select {
		case err := <-done:
			t.Errorf("ended early: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestSteadyCountsFailures(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%10 == 0 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer s.Close()
	r, err := Run(t.Context(), Config{Kind: "steady", Address: s.Listener.Addr().String(), Host: "example.com", Connections: 4, Rate: 200, Duration: time.Second}, io.Discard)
	if err != nil || r.Requests < 10 || r.Failures != n.Load()/10 || r.P99 < r.P50 || r.Elapsed < 500*time.Millisecond {
		t.Errorf("%+v, %v", r, err)
	}
}
