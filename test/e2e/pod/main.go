// Command pod is what the end-to-end tests run in the place of a Kubernetes Pod: an origin for
// HTTP/1.1, HTTP/2 and WebSocket that ends on SIGTERM as a well-behaved one does.
//
//	pod -name NAME -listen ADDRESS
//
// Every path answers with the name in X-Backend; /ws sends back what it gets. On SIGTERM it
// takes no new connection, closes the idle ones, finishes the requests that it has and waits
// for its WebSockets, half a minute at most.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

// grace is Kubernetes' default time between SIGTERM and SIGKILL.
const grace = 30 * time.Second

func main() {
	name := flag.String("name", "pod", "what X-Backend says")
	listen := flag.String("listen", "127.0.0.1:0", "address")
	flag.Parse()
	if err := run(*name, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "pod:", err)
		os.Exit(1)
	}
}

func run(name, listen string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var sockets sync.WaitGroup
	srv := &http.Server{Addr: listen, Protocols: new(http.Protocols), ReadHeaderTimeout: 10 * time.Second}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Backend", name)
		if r.URL.Path == "/ws" {
			sockets.Add(1)
			defer sockets.Done()
			echo(w, r)
			return
		}
		time.Sleep(5 * time.Millisecond) // so that some are under way at any time
		_, _ = fmt.Fprintln(w, name)
	})
	served := make(chan error, 1)
	go func() { served <- srv.ListenAndServe() }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := srv.Shutdown(last)
	done := make(chan struct{})
	go func() {
		sockets.Wait() // Shutdown does not know of them
		close(done)
	}()
	select {
	case <-done:
	case <-last.Done():
	}
	return err
}

// echo sends back what a WebSocket gets, until the client ends it.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	for {
		kind, b, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, b); err != nil {
			return
		}
	}
}
