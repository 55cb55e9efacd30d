package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// drainTime is how long requests may take to finish after the signal to end.
const drainTime = 2 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "backend:", err)
		os.Exit(1)
	}
}

// place is one name=address of the command line.
type place struct{ name, address string }

// places collects repeated -listen flags.
type places []place

func (p *places) String() string { return "" }

func (p *places) Set(v string) error {
	name, address, ok := strings.Cut(v, "=")
	if !ok || name == "" || address == "" {
		return fmt.Errorf("write name=address, such as one=127.0.0.1:9101")
	}
	*p = append(*p, place{name, address})
	return nil
}

// run serves until ctx ends, the parent named by -parent is gone, or a listener fails. It
// opens every address before it answers on any, so that a half-started set never exists.
func run(ctx context.Context, args []string, out io.Writer) error {
	var listen places
	flags := flag.NewFlagSet("backend", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Var(&listen, "listen", "`name=address` of one backend; repeat for several")
	parent := flags.Int("parent", 0, "end when the parent process is no longer this `pid`")
	ready := flags.String("ready", "", "create this `file`, one \"name address\" a line, when every address is open")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if len(listen) == 0 {
		return errors.New("no address to listen on: give -listen name=address, once for each backend")
	}
	listeners, err := open(listen)
	if err != nil {
		return err
	}
	logger := log.New(out, "backend: ", 0)
	if *ready != "" {
		if err := announce(*ready, listen, listeners); err != nil {
			closeAll(listeners)
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if *parent != 0 {
		go func() {
			orphaned(ctx, *parent)
			cancel()
		}()
	}
	return serve(ctx, listen, listeners, logger)
}

// open listens on every address, or on none.
func open(listen places) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, p := range listen {
		ln, err := net.Listen("tcp", p.address)
		if err != nil {
			closeAll(listeners)
			if errors.Is(err, syscall.EADDRINUSE) {
				return nil, fmt.Errorf("%s is taken by another process, so backend %q cannot listen there: end that process (ss -ltnp shows it) or choose another address", p.address, p.name)
			}
			return nil, fmt.Errorf("listen for backend %q: %w", p.name, err)
		}
		listeners = append(listeners, ln)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, ln := range listeners {
		_ = ln.Close()
	}
}

// announce writes the ready file under another name first, so that whoever waits for it
// never reads half of it.
func announce(file string, listen places, listeners []net.Listener) error {
	var text strings.Builder
	for i, p := range listen {
		fmt.Fprintf(&text, "%s %s\n", p.name, listeners[i].Addr())
	}
	if err := os.WriteFile(file+".part", []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("say that the backends are ready: %w", err)
	}
	if err := os.Rename(file+".part", file); err != nil {
		return fmt.Errorf("say that the backends are ready: %w", err)
	}
	return nil
}

// serve answers on all listeners until ctx ends or one of them fails.
func serve(ctx context.Context, listen places, listeners []net.Listener, logger *log.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for i, ln := range listeners {
		b := newBackend(listen[i].name, ln.Addr().String(), logger)
		logger.Printf("%s listens on %s", b.name, b.address)
		all.Go(func() {
			if err := b.serve(ctx, ln); err != nil {
				cancel(fmt.Errorf("backend %q: %w", b.name, err))
			}
		})
	}
	<-ctx.Done()
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// serve runs the backend on ln until ctx ends, then lets running requests finish for
// drainTime. Requests that a fault holds back end with ctx.
func (b *backend) serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler:           b,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // broken connections are what this program is for
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if server.Shutdown(drain) != nil {
		_ = server.Close() // what did not finish in time is cut off
	}
	return nil
}

// orphaned returns when the parent process is not pid, or ctx ends. Asking every so often
// works on every system and cannot miss a parent that died before the first question.
func orphaned(ctx context.Context, pid int) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for os.Getppid() == pid {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
