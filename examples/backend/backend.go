package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// shownHeaders are the request fields that the answer repeats: those a proxy adds.
var shownHeaders = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Via"}

// backend is one small server. Its methods may be called from any goroutine.
type backend struct {
	name, address string
	log           *log.Logger
	requests      atomic.Int64 // besides orders and health checks

	mu      sync.Mutex
	fault   fault
	changed chan struct{} // closed and replaced when fault changes
}

func newBackend(name, address string, logger *log.Logger) *backend {
	return &backend{name: name, address: address, log: logger, changed: make(chan struct{})}
}

// ServeHTTP answers orders, health checks and everything else.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/_control":
		b.control(w, r)
	case "/healthz":
		b.healthz(w, r)
	default:
		b.requests.Add(1)
		if !b.misbehave(w, r, func(fault) bool { return true }) {
			b.answer(w, r)
		}
	}
}

// control shows what the backend does (GET) or changes it (POST).
func (b *backend) control(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		http.Error(w, "orders are taken directly, not through a proxy: ask http://"+b.address+"/_control", http.StatusForbidden)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		f, err := parseFault(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		b.mu.Lock()
		b.fault = f
		close(b.changed)
		b.changed = make(chan struct{})
		b.mu.Unlock()
		b.log.Printf("%s now %s", b.name, f)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "use POST to give an order, GET to see the current one", http.StatusMethodNotAllowed)
		return
	}
	f, _ := b.current()
	_, _ = fmt.Fprintf(w, "backend %s %s\nrequests so far: %d\n", b.name, f, b.requests.Load())
}

// current returns the fault and a channel that is closed when it changes.
func (b *backend) current() (fault, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fault, b.changed
}

// healthz is well unless the fault says otherwise.
func (b *backend) healthz(w http.ResponseWriter, r *http.Request) {
	if b.misbehave(w, r, func(f fault) bool { return f.health }) {
		return
	}
	if f, _ := b.current(); f.health {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "not well\n")
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

// misbehave does what the fault says, if it concerns this request, and reports whether that
// took the place of an answer. A request that waits while the fault changes is treated as
// if it had just arrived.
func (b *backend) misbehave(w http.ResponseWriter, r *http.Request, concerns func(fault) bool) bool {
	for {
		f, changed := b.current()
		if !concerns(f) {
			return false
		}
		if f.delay > 0 && wait(r.Context(), f.delay, changed) {
			continue
		}
		switch {
		case f.status != 0:
			b.answerStatus(w, f.status)
		case f.reset != resetNever:
			reset(w, f.reset)
		case f.hang:
			select {
			case <-r.Context().Done():
				panic(http.ErrAbortHandler) // ends the connection without an answer
			case <-changed:
				continue
			}
		default:
			return false
		}
		return true
	}
}

// wait waits for d and reports whether the fault changed meanwhile.
func wait(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-changed:
		return true
	}
	return false
}

func (b *backend) answerStatus(w http.ResponseWriter, status int) {
	w.Header().Set("X-Backend", b.name)
	w.WriteHeader(status)
	if status != http.StatusNoContent && status != http.StatusNotModified {
		_, _ = fmt.Fprintf(w, "backend %s was told to answer %d\n", b.name, status)
	}
}

// reset ends the connection with a TCP RST, as a crashed process behind a busy port does.
func reset(w http.ResponseWriter, at resetPoint) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if at == resetInBody {
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n" + strings.Repeat("half ", 10))
		_ = rw.Flush()
		time.Sleep(50 * time.Millisecond) // a reset at once would take back bytes the peer has not read
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// answer names the backend and repeats what it received.
func (b *backend) answer(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, "the request's body broke off: "+err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Backend", b.name)
	var text strings.Builder
	fmt.Fprintf(&text, "backend %s at %s\n%s %s\nhost: %s\n", b.name, b.address, r.Method, r.URL.RequestURI(), r.Host)
	if n > 0 {
		fmt.Fprintf(&text, "body: %d bytes\n", n)
	}
	for _, h := range shownHeaders {
		for _, v := range r.Header.Values(h) {
			fmt.Fprintf(&text, "%s: %s\n", strings.ToLower(h), v)
		}
	}
	_, _ = io.WriteString(w, text.String())
}
