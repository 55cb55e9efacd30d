package proxy

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// failing is an observer with a bug: it panics on the status 299.
type failing struct{}

func (failing) Observe(o gateway.Outcome) {
	if o.Status == 299 || o.Status == 101 {
		panic("a bug")
	}
}

// A panic within one exchange ends its two connections and nothing else: the endpoint does
// not look busy for ever, and the next clients get answers of their own.
func TestPanicEndsOneConnectionOnly(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			w.Header().Set("Connection", "close") // else net/http reads the body before it answers
			w.WriteHeader(299)
			return
		case "/chat":
			echoSocket(w, r)
			return
		}
		_, _ = io.Copy(w, r.Body)
		_, _ = io.WriteString(w, r.URL.Path)
	})
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	e := start(t, Config{Observer: failing{}, Log: quiet}, Listener{}, snap([]string{o.addr}, nil))
	for _, request := range []string{
		"GET /panic HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /panic HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 50_000), // an upload is under way
		upgrade,
	} {
		c := e.dial(t)
		c.send(request)
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%.20q: the connection was not closed: %v", request, err)
		}
		for range 20 {
			resp, err := http.Get("http://" + e.addr + "/mine")
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || string(b) != "/mine" {
				t.Fatalf("%.20q: the next client got %q, %v", request, b, err)
			}
		}
	}
	e.endpointsFree(t)
}

// A panic while a loop serves many connections ends the one that it is about.
func TestPanicInALoopEndsOneConnectionOnly(t *testing.T) {
	const clients = 12
	waiting, release := make(chan struct{}, clients), make(chan struct{})
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			waiting <- struct{}{}
			<-release
		}
		if r.URL.Path == "/panic" {
			w.WriteHeader(299)
			return
		}
		_, _ = io.WriteString(w, "ok")
	})
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	e := start(t, Config{Observer: failing{}, Log: quiet}, Listener{}, snap([]string{o.addr}, nil))
	var all []*client
	for range clients {
		c := e.dial(t)
		settleIn(t, c)
		all = append(all, c)
	}
	for i, c := range all {
		path := []string{"/wait", "/panic"}[i%4/3]
		c.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	for range clients {
		<-waiting
	}
	close(release) // the answers come together
	for i, c := range all {
		resp, err := http.ReadResponse(c.br, nil)
		if i%4 == 3 {
			continue // it may have got its answer before
		}
		if err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "ok" {
			t.Errorf("client %d got %q, %v", i, b, err)
		}
	}
	for i, c := range all {
		if i%4 == 3 {
			if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("client %d: the connection was not closed: %v", i, err)
			}
			continue
		}
		settleIn(t, c)
	}
	e.endpointsFree(t)
}
