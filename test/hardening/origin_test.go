package hardening

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// seen is a request as the origin got it.
type seen struct {
	message
	method, target string
	at             string // which address it came to
	conn           int
}

// origin reads strictly, echoes, and plays the script of the case.
type origin struct {
	mu       sync.Mutex
	seen     []seen                // guarded by mu; in the order of arrival
	faults   []string              // guarded by mu; what no origin should get to see
	busy     int                   // guarded by mu; connections with a request that is not yet answered
	conns    map[int]*net.TCPConn  // guarded by mu; those that are open
	last     int                   // guarded by mu; id of the youngest connection
	accepted map[string]bool       // guarded by mu; by the address of the peer, see barrier
	over     map[string]bool       // guarded by mu; clients of cases that are over
	script   []step                // guarded by mu; for /case
	cut      func(string) []string // guarded by mu
	told     chan struct{}         // steps "told" and "tell" meet a test here
	shutdown bool                  // guarded by mu

	addr  map[string]string
	lns   []net.Listener
	tasks sync.WaitGroup
}

// startOrigin listens at one address for each name.
func startOrigin(t testing.TB, names ...string) *origin {
	t.Helper()
	o := &origin{addr: map[string]string{}, conns: map[int]*net.TCPConn{}, accepted: map[string]bool{}, over: map[string]bool{}}
	for _, name := range names {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o.addr[name] = ln.Addr().String()
		o.lns = append(o.lns, ln)
		o.tasks.Go(func() { o.accept(ln, name) })
	}
	t.Cleanup(o.stop)
	return o
}

func (o *origin) stop() {
	o.mu.Lock()
	o.shutdown = true
	for _, ln := range o.lns {
		_ = ln.Close()
	}
	for _, c := range o.conns {
		_ = c.Close()
	}
	o.mu.Unlock()
	o.tasks.Wait()
}

func (o *origin) accept(ln net.Listener, name string) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		o.accepted[ends(c.RemoteAddr(), c.LocalAddr())] = true
		o.last++
		id, closing := o.last, o.shutdown
		tcp := c.(*net.TCPConn)
		o.conns[id] = tcp
		o.mu.Unlock()
		if closing {
			_ = c.Close()
			return
		}
		o.tasks.Go(func() {
			o.serve(tcp, name, id)
		})
	}
}

// begin makes o ready for a case. split cuts what the script sends. What still comes from the client
// before is not noted.
func (o *origin) begin(script []step, split func(string) []string, before net.IP) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if before != nil {
		o.over[before.String()] = true
	}
	o.seen, o.faults, o.script, o.cut = nil, nil, script, split
}

func (o *origin) fault(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.shutdown {
		o.faults = append(o.faults, fmt.Sprintf(format, args...))
	}
}

func (o *origin) note(s seen) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if client, _ := s.value("X-Forwarded-For"); !o.over[client] {
		o.seen = append(o.seen, s)
	}
}

func (o *origin) serve(c *net.TCPConn, name string, id int) {
	br := bufio.NewReader(c)
	for again := true; again; {
		readable(c)
		o.work(1) // before the bytes leave the kernel, where settled looks for them
		again = o.rush(c, br, name, id)
		o.work(-1)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.conns, id)
	delete(o.accepted, ends(c.RemoteAddr(), c.LocalAddr()))
	_ = c.Close()
}

// rush answers the requests that have arrived and reports whether the connection goes on.
func (o *origin) rush(c net.Conn, br *bufio.Reader, name string, id int) bool {
	for {
		if _, err := br.Peek(1); err != nil || !o.one(c, br, name, id) {
			return false
		}
		if br.Buffered() == 0 {
			return true
		}
	}
}

// one reads and answers one request.
func (o *origin) one(c net.Conn, br *bufio.Reader, name string, id int) bool {
	m, err := readHead(br)
	var bad errStrict
	switch {
	case errors.As(err, &bad):
		o.fault("the origin got a head with %s", bad)
		return false
	case err != nil:
		o.note(seen{message: message{start: "(within the head)", cut: true}, at: name, conn: id})
		return false
	}
	s := seen{message: *m, at: name, conn: id}
	parts := strings.Split(s.start, " ")
	if len(parts) != 3 || parts[2] != "HTTP/1.1" {
		o.fault("the origin got %q", s.start)
		return false
	}
	s.method, s.target = parts[0], parts[1]
	o.judge(&s)
	length, err := s.frame(true, false)
	if err != nil {
		o.fault("the origin got %v", err)
		return false
	}
	o.mu.Lock()
	script, cut := o.script, o.cut
	o.mu.Unlock()
	scripted := len(script) > 0 && (strings.HasPrefix(s.target, "/case") || s.target == "*")
	if scripted && script[0].do == "early" {
		o.note(s)
		again := o.play(c, br, script[1:], cut)
		return again && s.readBody(br, length) == nil && !s.cut
	}
	if err := s.readBody(br, length); err != nil {
		o.fault("the origin got %v", err)
		return false
	}
	o.note(s)
	switch {
	case s.cut:
		return false
	case scripted:
		return o.play(c, br, script, cut)
	}
	if br.Buffered() > 0 {
		rest, _ := br.Peek(br.Buffered())
		o.fault("%q stands behind a request that is not yet answered", rest)
	}
	return echo(c, &s) == nil
}

// judge looks for what a proxy must not pass on.
func (o *origin) judge(s *seen) {
	if _, n := s.value("Host"); n != 1 {
		o.fault("the origin got %d Host fields", n)
	}
	ws := s.has("Upgrade: websocket")
	for _, h := range hopByHop {
		if v, n := s.value(h); n > 0 && !(h == "TE" && v == "trailers") && !(h == "Upgrade" && ws) {
			o.fault("the origin got %s: %s", h, v)
		}
	}
	if v, n := s.value("Connection"); n > 0 && v != "TE" && !(ws && v == "Upgrade") {
		o.fault("the origin got Connection: %s", v)
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "Forwarded"} {
		if _, n := s.value(name); n != 1 {
			o.fault("the origin got %d %s fields", n, name)
		}
	}
}
