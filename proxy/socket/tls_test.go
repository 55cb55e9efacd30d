package socket

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// tlsPair is a Conn as a server over TLS and its client.
func tlsPair(t testing.TB, version uint16) (*Conn, *tls.Conn) {
	t.Helper()
	c, far := pair(t, true)
	ca := certtest.NewCA(t, "ca", time.Now())
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, time.Now(), "a.example").TLS(t)}, MaxVersion: version, DynamicRecordSizingDisabled: true}
	c.StartTLS(func(nc net.Conn) *tls.Conn { return tls.Server(nc, cfg) })
	client := tls.Client(far, &tls.Config{RootCAs: ca.Pool, ServerName: "a.example"})
	shaken := make(chan error, 1)
	go func() { shaken <- client.Handshake() }()
	c.SetReadDeadline(Now() + int64(30*time.Second))
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return c, client
}

// A wait that ends by a deadline or an interruption leaves the connection usable, in the
// middle of a record too.
func TestTLSGoesOnAfterWaits(t *testing.T) {
	c, far := tlsPair(t, tls.VersionTLS13)
	b := make([]byte, 100)
	c.SetReadDeadline(Now() + int64(20*time.Millisecond))
	if _, err := c.Read(b); !errors.Is(err, ErrTimeout) {
		t.Fatalf("read without bytes: %v", err)
	}
	c.SetReadDeadline(Now() + int64(time.Minute))
	time.AfterFunc(20*time.Millisecond, c.Interrupt)
	if _, err := c.Read(b); !errors.Is(err, ErrInterrupted) {
		t.Fatalf("interrupted: %v", err)
	}
	_, _ = far.Write([]byte("last words"))
	until(t, func() bool { return string(b[:c.Last(b)]) == "last words" })
	c.Resume()
	_, _ = far.Write([]byte("abc"))
	if n, err := c.Read(b); err != nil || string(b[:n]) != "abc" {
		t.Fatalf("%q, %v", b[:n], err)
	}
	if n, err := c.Write2([]byte("head"), []byte("body")); n != 8 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := far.Read(b); err != nil || string(b[:n]) != "headbody" {
		t.Fatalf("head and body came in two records: %q, %v", b[:n], err)
	}
}

// recorder lets the test cut the stream between records and inside them.
type recorder struct {
	net.Conn
	out bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) { return r.out.Write(p) }

// While it waits, ReadInto holds no buffer: before the first byte, in the middle of a
// record and between records. What crypto/tls has read ahead comes without a wait.
func TestTLSReadInto(t *testing.T) {
	c, near := pair(t, true)
	ca := certtest.NewCA(t, "ca", time.Now())
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, time.Now(), "a.example").TLS(t)}}
	c.StartTLS(func(nc net.Conn) *tls.Conn { return tls.Server(nc, cfg) })
	rec := &recorder{Conn: near}
	relay := &switchable{Conn: near}
	client := tls.Client(relay, &tls.Config{RootCAs: ca.Pool, ServerName: "a.example"})
	go func() { _ = client.Handshake() }()
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return client.ConnectionState().HandshakeComplete })
	relay.to = rec
	_, _ = client.Write([]byte("one"))
	_, _ = client.Write([]byte("two"))
	wire := rec.out.Bytes()

	held, b := 0, make([]byte, 10)
	waiting := make(chan bool, 10)
	read := func() string {
		n, err := c.ReadInto(func() []byte { held++; return b }, func() { held--; waiting <- true })
		if err != nil || held != 1 {
			t.Errorf("%d buffers held, %v", held, err)
		}
		held = 0
		return string(b[:n])
	}
	got := make(chan string, 1)
	go func() { got <- read() }()
	for _, part := range [][]byte{wire[:7], wire[7:]} {
		<-waiting // without a buffer
		if _, err := near.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if s := <-got; s != "one" {
		t.Fatalf("read %q", s)
	}
	if s := read(); s != "two" || len(waiting) > 0 {
		t.Fatalf("what had been read ahead: %q, after %d waits", s, len(waiting))
	}
}

// switchable sends what is written elsewhere.
type switchable struct {
	net.Conn
	to io.Writer
}

func (s *switchable) Write(p []byte) (int, error) {
	if s.to != nil {
		return s.to.Write(p)
	}
	return s.Conn.Write(p)
}

// An end without a goodbye is no end: somebody may have cut the stream.
func TestTLSEnds(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c, far := tlsPair(t, version)
		if c.Gone() || !c.Alive() {
			t.Error("a silent peer is there")
		}
		if err := far.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		_ = far.NetConn().(*net.TCPConn).CloseWrite()
		until(t, c.Gone)
		if c.Alive() {
			t.Error("a peer that has said goodbye is alive")
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("after a goodbye: %v", err)
		}
		c, far = tlsPair(t, version)
		_ = far.NetConn().Close()
		until(t, c.Gone)
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after a cut: %v", err)
		}
		c, far = tlsPair(t, version)
		_, _ = far.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		_ = far.NetConn().(*net.TCPConn).CloseWrite()
		until(t, func() bool { // both have arrived
			here := false
			_ = c.raw.Control(func(fd uintptr) { _, errno := rawPeek(fd); here = errno == 0 && halfClosed(fd) })
			return here
		})
		if c.Gone() {
			t.Error("a peer that left a request is not gone")
		}
	}
}

// A peer that takes nothing ends writes at their deadline, and Close does not wait for it.
func TestTLSStalledPeer(t *testing.T) {
	c, _ := tlsPair(t, tls.VersionTLS13)
	c.SetWriteDeadline(Now() + int64(50*time.Millisecond))
	if _, err := c.Write(make([]byte, 64<<20)); !errors.Is(err, ErrTimeout) {
		t.Fatalf("write: %v", err)
	}
	closed := make(chan bool)
	go func() { _ = c.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("Close waits for a peer that takes nothing")
	}
}

// A connection that waits gives up what crypto/tls had read into, and goes on after it.
func TestTLSTrims(t *testing.T) {
	if rawInputAt == 0 || handAt == 0 {
		t.Fatal("crypto/tls has changed its buffers: see tls_memory.go")
	}
	c, far := tlsPair(t, tls.VersionTLS13)
	raw := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c.TLS()), rawInputAt))
	b := make([]byte, 100<<10)
	for round := range 3 {
		want := bytes.Repeat([]byte{byte(round)}, 80<<10)
		go func() { _, _ = far.Write(want) }()
		got := 0
		for got < len(want) {
			n, err := c.Read(b[got:])
			if got += n; err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(b[:got], want) {
			t.Fatal("differs")
		}
		before := raw.Cap()
		c.SetReadDeadline(Now() + int64(time.Millisecond))
		if _, err := c.ReadInto(func() []byte { return b }, func() {}); !errors.Is(err, ErrTimeout) {
			t.Fatal(err)
		}
		c.SetReadDeadline(0)
		if held := raw.Cap(); held > keepBuffer || before <= keepBuffer {
			t.Errorf("held %d bytes while it waited, %d before", held, before)
		}
	}
}

func TestTLSLargeBodies(t *testing.T) {
	c, far := tlsPair(t, tls.VersionTLS13)
	want := make([]byte, 3<<20+7)
	_, _ = rand.Read(want)
	go func() {
		_, _ = c.Write2(want[:300], want[300:])
		_ = c.CloseWrite()
	}()
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

// BenchmarkTLSRequests is a kept-alive exchange of 100 bytes each way.
func BenchmarkTLSRequests(b *testing.B) {
	c, far := tlsPair(b, tls.VersionTLS13)
	go func() {
		buf := make([]byte, 4096)
		for {
			if _, err := far.Read(buf); err != nil {
				return
			}
			if _, err := far.Write(buf[:100]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write2(buf[:60], buf[:40]); err != nil {
			b.Fatal(err)
		}
		if _, err := c.ReadInto(func() []byte { return buf }, func() {}); err != nil {
			b.Fatal(err)
		}
	}
}

// A peer that is gone within a record is noticed by who waits without a deadline, also when its last
// bytes and its end come as one.
func TestTLSEndsWithinRecord(t *testing.T) {
	c, far := tlsPair(t, tls.VersionTLS13)
	near := far.NetConn().(*net.TCPConn)
	c.SetReadDeadline(0)
	waiting, ended := make(chan bool, 10), make(chan error, 1)
	go func() {
		_, err := c.ReadInto(func() []byte { return make([]byte, 100) }, func() { waiting <- true })
		ended <- err
	}()
	<-waiting
	time.Sleep(50 * time.Millisecond) // the poller has it
	raw, err := near.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 1) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, _ = near.Write([]byte{23, 3, 3, 0, 100, 1, 2}) // and FIN in the same segment
	_ = near.CloseWrite()
	select {
	case err := <-ended:
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("still waiting")
	}
}
