package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A caller that leaves while it is answered is no fault of ours: nothing is logged, nothing is written
// behind what it has got, and the answer is cut. Connections to others that break are our business.
func TestCallerLeaves(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	broken := func(address string) error {
		return &net.OpError{Op: "write", Net: "tcp", Addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address)), Err: os.NewSyscallError("write", syscall.EPIPE)}
	}
	const caller, other = "192.0.2.1:1234", "192.0.2.2:2379"
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		ours bool
	}{
		{"left", gone, errors.New("context canceled"), false},
		{"broken pipe", t.Context(), fmt.Errorf("encode: %w", broken(caller)), false},
		{"broken pipe elsewhere", t.Context(), broken(other), true},
		{"reset elsewhere", t.Context(), os.NewSyscallError("read", syscall.ECONNRESET), true},
		{"a defect", t.Context(), errors.New("no such column"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			s := &server{Config: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(c.ctx, http.MethodGet, "/api/v1/upstreams", nil)
			r.RemoteAddr = caller
			defer func() {
				if err, _ := recover().(error); errors.Is(err, http.ErrAbortHandler) == c.ours {
					t.Errorf("panic: %v", err)
				}
				if logged := log.Len() > 0; logged != c.ours || (w.Body.Len() > 0) != c.ours {
					t.Errorf("logged %q, answered %q", log.String(), w.Body)
				}
			}()
			s.fail(w, r, c.err)
		})
	}
}

// The same over a real connection, whose caller leaves before it has read a large answer.
func TestCallerLeavesARealConnection(t *testing.T) {
	var log strings.Builder
	handler := slog.NewTextHandler(&log, nil) // for both, since it lets one write at a time
	s := &server{Config: Config{Log: slog.New(handler)}}
	ended := make(chan struct{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				s.fail(w, r, err)
				return
			}
		}
	}))
	srv.Config.ErrorLog = slog.NewLogLogger(handler, slog.LevelError)
	srv.Start()
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	<-ended
	srv.Close() // nobody writes any more
	if text := log.String(); text != "" {
		t.Errorf("logged %q", text)
	}
}
