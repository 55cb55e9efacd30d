package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// streams are the TCP ports that snapshots ask for. A port stays open from snapshot to snapshot,
// and its connections go on when it is asked for no more.
type streams struct {
	host string // that ports are opened on; empty: all addresses
	log  *slog.Logger

	mu       sync.Mutex
	wanted   []gateway.EffectiveStream // guarded by mu
	open     map[int]*stream           // guarded by mu; by port
	failed   map[int]error             // guarded by mu; ports that could not be opened
	conns    map[*streamConn]struct{}  // guarded by mu
	counted  map[string]*streamCounts  // guarded by mu; by tenant/name, as long as it is wanted
	closed   bool                      // guarded by mu
	serving  sync.WaitGroup            // of listeners and connections
	resolved func(gateway.UpstreamKey) *upstream
	observer Observer
}

// stream is one open port.
type stream struct {
	of   *streams
	ln   net.Listener
	live atomic.Pointer[streamRules]
}

// streamRules are a stream's as of one snapshot.
type streamRules struct {
	gateway.EffectiveStream
	upstream *upstream
	counts   *streamCounts
}

func newStreams(cfg Config) *streams {
	return &streams{host: cfg.StreamHost, log: cfg.Log, observer: cfg.Observer, open: map[int]*stream{}, failed: map[int]error{},
		conns: map[*streamConn]struct{}{}, counted: map[string]*streamCounts{}}
}

// apply opens the ports that are new and closes those that nobody asks for any more. upstream
// finds an upstream of the table that is in service now.
func (t *streams) apply(wanted []gateway.EffectiveStream, upstream func(gateway.UpstreamKey) *upstream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wanted, t.resolved = wanted, upstream
	names := map[string]bool{}
	asked := map[int]bool{}
	for _, w := range wanted {
		asked[w.Port] = true
		names[w.Ref().String()] = true
	}
	for port, s := range t.open {
		if !asked[port] {
			_ = s.ln.Close() // its accept returns
			delete(t.open, port)
		}
	}
	for port := range t.failed {
		if !asked[port] {
			delete(t.failed, port)
		}
	}
	t.serve()
	for name := range t.counted {
		if !names[name] {
			delete(t.counted, name)
		}
	}
}

// serve gives each port its rules, and opens those that are not open. mu is held.
func (t *streams) serve() {
	for _, w := range t.wanted {
		name := w.Ref().String()
		if t.counted[name] == nil {
			t.counted[name] = &streamCounts{}
		}
		rules := &streamRules{w, t.resolved(w.Upstream), t.counted[name]}
		if s := t.open[w.Port]; s != nil {
			s.live.Store(rules)
			continue
		}
		if t.closed {
			continue
		}
		ln, err := net.Listen("tcp", net.JoinHostPort(t.host, strconv.Itoa(w.Port)))
		if err != nil {
			if t.failed[w.Port] == nil {
				t.log.Error("a port of a stream can not be opened, and is tried again", "stream", name, "port", w.Port, "err", err)
			}
			t.failed[w.Port] = err
			continue
		}
		delete(t.failed, w.Port)
		s := &stream{of: t, ln: ln}
		s.live.Store(rules)
		t.open[w.Port] = s
		t.serving.Go(s.accept)
	}
}

// retry opens ports that were somebody else's.
func (t *streams) retry() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.failed) > 0 {
		t.serve()
	}
}

// StreamProblems are the streams whose ports this node can't open.
func (p *Proxy) StreamProblems() []gateway.Problem {
	t := p.streams
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []gateway.Problem
	for i := range t.wanted {
		w := &t.wanted[i]
		if err := t.failed[w.Port]; err != nil {
			out = append(out, gateway.Problem{Object: w.Ref(), Field: "spec.port", Code: "port_unavailable", Source: "proxy",
				Message: fmt.Sprintf("Port %d can't be opened here (%s), and is tried again every second: end what listens on it, or choose another one.", w.Port, rootOf(err))})
		}
	}
	return out
}

// rootOf is what the system says, without the address that stands beside it.
func rootOf(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}

// accept starts one goroutine for each connection, until the port is closed.
func (s *stream) accept() {
	pause := time.Duration(0)
	for {
		nc, err := s.ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.start(nc)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors, say
			pause = min(cmp.Or(2*pause, 5*time.Millisecond), time.Second)
			s.of.log.Warn("accept failed, trying again", "port", s.live.Load().Port, "err", err, "pause", pause)
			time.Sleep(pause)
		}
	}
}

func (s *stream) start(nc net.Conn) {
	rules, t := s.live.Load(), s.of
	client, ok := nc.(*net.TCPConn)
	if !ok || rules.counts.open.Add(1) > int64(rules.MaxConnections) {
		if ok {
			rules.counts.open.Add(-1)
		}
		rules.counts.refused.Add(1)
		_ = nc.Close() // nothing was promised
		return
	}
	c := &streamConn{of: t, rules: rules, client: client}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		rules.counts.open.Add(-1)
		_ = nc.Close()
		return
	}
	t.conns[c] = struct{}{}
	t.serving.Add(1)
	t.mu.Unlock()
	go func() {
		defer t.serving.Done()
		defer func() {
			t.mu.Lock()
			delete(t.conns, c)
			t.mu.Unlock()
			rules.counts.open.Add(-1)
		}()
		c.serve()
	}()
}

// shutdown closes the ports, waits for the connections until done is closed, and cuts what is
// left.
func (t *streams) shutdown(done <-chan struct{}) {
	t.mu.Lock()
	t.closed = true
	for _, s := range t.open {
		_ = s.ln.Close() // its accept returns
	}
	t.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t.serving.Wait()
	}()
	select {
	case <-ended:
		return
	case <-done:
	}
	t.mu.Lock()
	for c := range t.conns {
		c.cut()
	}
	t.mu.Unlock()
	<-ended
}

// ports lists the open ones, sorted.
func (t *streams) ports() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []int
	for port := range t.open {
		out = append(out, port)
	}
	slices.Sort(out)
	return out
}
