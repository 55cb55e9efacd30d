package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/slardar"
	"github.com/sluice-gateway/sluice/gateway"
)

// maxBody bounds a request body. etcd takes 1.5 MiB in one transaction, so nothing larger
// could be stored anyhow.
const maxBody = 4 << 20

// server implements api.StrictServerInterface. Its methods are in the file of their noun.
type server struct {
	Config
	// epoch tells apart the generations of two processes in event ids.
	epoch string
}

var _ api.StrictServerInterface = (*server)(nil)

// New returns the handler of the API and the UI. It fails when the embedded openapi.yaml
// cannot be used.
func New(cfg Config) (http.Handler, error) {
	cfg.Ping = cmp.Or(cfg.Ping, 15*time.Second)
	cfg.Poll = cmp.Or(cfg.Poll, time.Second)
	s := &server{Config: cfg, epoch: fmt.Sprintf("%x", cfg.StartedAt.UnixNano())}
	validate, err := validator()
	if err != nil {
		return nil, fmt.Errorf("prepare the admin API: %w", err)
	}
	ui, err := newUI(cfg.UI)
	if err != nil {
		return nil, fmt.Errorf("prepare the admin UI: %w", err)
	}
	strict := api.NewStrictHandlerWithOptions(s, nil, api.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  func(w http.ResponseWriter, r *http.Request, err error) { s.fail(w, r, unreadable(err)) },
		ResponseErrorHandlerFunc: s.fail,
	})
	operations := api.HandlerWithOptions(strict, api.StdHTTPServerOptions{
		BaseURL:          "/api/v1",
		ErrorHandlerFunc: func(w http.ResponseWriter, r *http.Request, err error) { s.fail(w, r, unreadable(err)) },
	})
	root := http.NewServeMux()
	root.Handle("/api/", cfg.Tokens.Require(WriteError, validate(operations)))
	if cfg.Slardar != nil {
		root.Handle(slardar.Prefix, cfg.Tokens.Require(WriteError, s.slardar()))
	}
	root.Handle("/", ui)
	return s.protect(root), nil
}

// unreadable marks a request that the generated code could not read.
func unreadable(err error) error {
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) || isProblem(err) {
		return err
	}
	return fmt.Errorf("%w: %s", gateway.ErrInvalid, strings.TrimPrefix(err.Error(), "can't decode JSON body: "))
}

// protect is around everything: it bounds bodies, sets headers that hold for every answer,
// and turns a panic into an answer, so that one bad request costs only itself.
func (s *server) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, slardar.Prefix) {
			h.Set("Cache-Control", "no-store")
			h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			s.Log.Error("admin: a request panicked", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", stack())
			WriteError(w, r, errors.New("the request could not be completed because of a defect; the log of this node has the details"))
		}()
		next.ServeHTTP(w, r)
	})
}

// fail answers with an error and logs it when it is ours.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if left(r, err) {
		panic(http.ErrAbortHandler) // a return would end the answer as if it were whole
	}
	if codeOf(err) == api.Internal {
		s.Log.Error("admin: a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	WriteError(w, r, err)
}

// left says whether the caller has gone away in the middle of the answer: nobody can be told of err.
func left(r *http.Request, err error) bool {
	var op *net.OpError
	return errors.Is(r.Context().Err(), context.Canceled) ||
		errors.As(err, &op) && op.Op == "write" && op.Addr != nil && op.Addr.String() == r.RemoteAddr
}
