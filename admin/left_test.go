package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A caller that leaves while it is answered is no fault of ours: nothing is logged, and nothing written
// behind what it has got.
func TestCallerLeaves(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		ours bool
	}{
		{"left", gone, errors.New("context canceled"), false},
		{"broken pipe", t.Context(), os.NewSyscallError("write", syscall.EPIPE), false},
		{"reset", t.Context(), os.NewSyscallError("write", syscall.ECONNRESET), false},
		{"a defect", t.Context(), errors.New("no such column"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			s := &server{Config: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
			w := httptest.NewRecorder()
			s.fail(w, httptest.NewRequestWithContext(c.ctx, http.MethodGet, "/api/v1/upstreams", nil), c.err)
			if logged := log.Len() > 0; logged != c.ours || (w.Body.Len() > 0) != c.ours {
				t.Errorf("logged %q, answered %q", log.String(), w.Body)
			}
		})
	}
}
