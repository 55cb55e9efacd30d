package origin

import (
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
)

// Config says what to serve.
type Config struct {
	Kind   string // "http", "grpc" or "websocket"
	Listen string // for the proxies
	Status string // for the page with the count
	Answer int    // bytes of message in each gRPC answer
	Body   string // of each answer to a GET
}

// Run listens and serves until it fails.
func Run(c Config) error {
	var served atomic.Int64
	var serve func(net.Conn)
	switch c.Kind {
	case "http":
		o, err := newHTTPOrigin(c.Body, &served)
		if err != nil {
			return err
		}
		serve = o.add
	case "grpc":
		wire := newAnswer(c.Answer)
		serve = func(nc net.Conn) { serveGRPC(nc, wire, &served) }
	case "websocket":
		serve = func(nc net.Conn) { serveWebSocket(nc, &served) }
	default:
		return fmt.Errorf("unknown kind of origin %q: http, grpc and websocket are known", c.Kind)
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		failed <- http.ListenAndServe(c.Status, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, "server accepts handled requests\n 0 0 %d \n", served.Load())
		}))
	}()
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				failed <- err
				return
			}
			go serve(nc)
		}
	}()
	return <-failed
}
