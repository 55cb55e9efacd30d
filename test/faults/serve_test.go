package faults

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// body is what a good answer carries.
var body = strings.Repeat("0123456789abcdef", 128)

// The fields by which a request is known to the endpoints.
const (
	idField   = "X-Request-Name"
	sentField = "X-Sent" // when it was to be sent, Unix nanoseconds
	byField   = "X-Endpoint"
)

// serving is an endpoint's process. What it gets is written to a file before anything else,
// so that it is not lost when the process is killed.
type serving struct {
	name  string
	seen  *os.File
	mode  atomic.Value // string; see answer
	delay atomic.Int64 // nanoseconds before an answer
	slow  atomic.Int64 // nanoseconds before an answer to a probe
	close atomic.Bool  // each connection is for one request
}

// serveEndpoint is main of an endpoint: NAME ADDRESS FILE.
func serveEndpoint() error {
	args := strings.Fields(os.Getenv(roleVariable))
	seen, err := os.OpenFile(args[2], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	s := &serving{name: args[0], seen: seen}
	s.mode.Store("ok")
	s.delay.Store(int64(10 * time.Millisecond))
	ln, err := net.Listen("tcp", args[1])
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/_order", s.order)
	mux.HandleFunc("/healthz", s.healthz)
	mux.HandleFunc("/", s.answer)
	return (&http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}).Serve(ln)
}

func (s *serving) order(w http.ResponseWriter, r *http.Request) {
	if mode := r.FormValue("mode"); mode != "" {
		s.mode.Store(mode)
	}
	if r.FormValue("close") != "" {
		s.close.Store(true)
	}
	for name, delay := range map[string]*atomic.Int64{"delay": &s.delay, "healthz": &s.slow} {
		if text := r.FormValue(name); text != "" {
			d, err := time.ParseDuration(text)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			delay.Store(int64(d))
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// healthz is well in every mode but that of a server that hangs as a whole.
func (s *serving) healthz(w http.ResponseWriter, r *http.Request) {
	if s.mode.Load() == "hang" {
		<-r.Context().Done()
		return
	}
	time.Sleep(time.Duration(s.slow.Load()))
	_, _ = fmt.Fprintln(w, "ok")
}

func (s *serving) answer(w http.ResponseWriter, r *http.Request) {
	if _, err := fmt.Fprintln(s.seen, r.Method, r.Header.Get(idField), r.Header.Get(sentField)); err != nil {
		panic(err)
	}
	w.Header().Set(byField, s.name)
	switch s.mode.Load() {
	case "hang":
		<-r.Context().Done()
		return
	case "502":
		http.Error(w, "ill", http.StatusBadGateway)
		return
	case "reset":
		cutOff(w)
		return
	}
	time.Sleep(time.Duration(s.delay.Load()))
	if s.close.Load() {
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = fmt.Fprint(w, body)
}

// cutOff answers with half a body and resets the connection.
func cutOff(w http.ResponseWriter) {
	conn, buf, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintf(buf, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:len(body)/2])
	_ = buf.Flush()
	time.Sleep(5 * time.Millisecond) // a reset overtakes what the other side has not read
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}
