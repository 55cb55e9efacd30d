package socket

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// hidden keeps a TCP connection from being recognised, as TLS would.
type hidden struct{ net.Conn }

// pair returns two ends of a TCP connection.
func pair(t testing.TB, plain bool) (*Conn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	far, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = far.Close()
		_ = near.Close()
	})
	if !plain {
		near = hidden{near}
	}
	return New(near), far
}

// attached returns two ends of a TCP connection, the first of which a loop watches.
func attached(t testing.TB) (*Conn, net.Conn) {
	t.Helper()
	c, far := pair(t, true)
	if !c.Attach() || !c.Attached() {
		t.Fatal("not attached")
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, far
}

// both runs f with a connection that Go's poller watches, with one that a loop watches, and with
// one that is not known to be TCP.
func both(t *testing.T, f func(t *testing.T, c *Conn, far net.Conn)) {
	for name, kind := range map[string]func() (*Conn, net.Conn){
		"plain":    func() (*Conn, net.Conn) { return pair(t, true) },
		"attached": func() (*Conn, net.Conn) { return attached(t) },
		"wrapped":  func() (*Conn, net.Conn) { return pair(t, false) },
	} {
		t.Run(name, func(t *testing.T) {
			c, far := kind()
			f(t, c, far)
		})
	}
}

func TestReadWrite(t *testing.T) {
	both(t, func(t *testing.T, c *Conn, far net.Conn) {
		if n, err := c.Write2([]byte("hello "), []byte("world")); n != 11 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		b := make([]byte, 11)
		if _, err := io.ReadFull(far, b); err != nil || string(b) != "hello world" {
			t.Fatalf("%q, %v", b, err)
		}
		_, _ = far.Write([]byte("abc"))
		if n, err := c.Read(b); string(b[:n]) != "abc" || err != nil {
			t.Fatalf("%q, %v", b[:n], err)
		}
		_ = far.Close()
		if n, err := c.Read(b); n != 0 || !errors.Is(err, io.EOF) {
			t.Fatalf("%d, %v", n, err)
		}
	})
}

// Much more than fits into the socket's buffer is written whole.
func TestLargeWrite(t *testing.T) {
	both(t, func(t *testing.T, c *Conn, far net.Conn) {
		want := make([]byte, 16<<20)
		_, _ = rand.Read(want)
		done := make(chan error, 1)
		go func() {
			_, err := c.Write2(want[:1000], want[1000:])
			done <- err
		}()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("differs, %v", err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	both(t, func(t *testing.T, c *Conn, far net.Conn) {
		b := make([]byte, 10)
		wait := func(d time.Duration) {
			t.Helper()
			from := time.Now()
			c.SetReadDeadline(Now() + int64(d))
			if _, err := c.Read(b); !errors.Is(err, ErrTimeout) || time.Since(from) < d {
				t.Fatalf("after %v: %v", time.Since(from), err)
			}
		}
		wait(20 * time.Millisecond)
		wait(30 * time.Millisecond) // later than the one that fired
		// An early timer that is wanted no more does not end the read.
		c.SetReadDeadline(Now() + int64(20*time.Millisecond))
		_, _ = far.Write([]byte("a"))
		if _, err := c.Read(b); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(Now() + int64(time.Minute))
		time.AfterFunc(60*time.Millisecond, func() { _, _ = far.Write([]byte("b")) })
		if n, err := c.Read(b); err != nil || string(b[:n]) != "b" {
			t.Fatalf("%q, %v", b[:n], err)
		}
		c.SetReadDeadline(0) // none
		time.AfterFunc(20*time.Millisecond, func() { _, _ = far.Write([]byte("c")) })
		if n, err := c.Read(b); err != nil || string(b[:n]) != "c" {
			t.Fatalf("%q, %v", b[:n], err)
		}
		c.SetWriteDeadline(Now() + int64(50*time.Millisecond))
		if _, err := c.Write(make([]byte, 64<<20)); !errors.Is(err, ErrTimeout) {
			t.Fatalf("write: %v", err)
		}
	})
}

func TestInterrupt(t *testing.T) {
	both(t, func(t *testing.T, c *Conn, far net.Conn) {
		b := make([]byte, 10)
		c.SetReadDeadline(Now() + int64(time.Minute))
		time.AfterFunc(20*time.Millisecond, c.Interrupt)
		if _, err := c.Read(b); !errors.Is(err, ErrInterrupted) {
			t.Fatal(err)
		}
		c.Resume()
		_, _ = far.Write([]byte("a"))
		if n, err := c.Read(b); err != nil || n != 1 {
			t.Fatalf("%d, %v", n, err)
		}
		time.AfterFunc(20*time.Millisecond, c.InterruptWrite)
		if _, err := c.Write(make([]byte, 64<<20)); !errors.Is(err, ErrInterrupted) {
			t.Fatalf("write: %v", err)
		}
	})
}

// While it waits, ReadInto holds no buffer.
func TestReadInto(t *testing.T) {
	for _, c := range []func(testing.TB) (*Conn, net.Conn){func(t testing.TB) (*Conn, net.Conn) { return pair(t, true) }, attached} {
		near, far := c(t)
		testReadInto(t, near, far)
	}
}

func testReadInto(t *testing.T, c *Conn, far net.Conn) {
	held := make(chan bool, 10)
	b := make([]byte, 10)
	borrow := func() []byte { held <- true; return b }
	giveUp := func() { held <- false }
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() {
		n, err := c.ReadInto(borrow, giveUp)
		done <- result{n, err}
	}()
	if !<-held || <-held {
		t.Fatal("want a look, and then the buffer back")
	}
	_, _ = far.Write([]byte("abc"))
	if r := <-done; r.n != 3 || r.err != nil {
		t.Fatalf("%+v", r)
	}
	if !<-held || len(held) > 0 {
		t.Fatal("want the buffer kept when there is something to read")
	}
}

func TestAliveAndGone(t *testing.T) {
	for _, c := range []func(testing.TB) (*Conn, net.Conn){func(t testing.TB) (*Conn, net.Conn) { return pair(t, true) }, attached} {
		near, far := c(t)
		testAliveAndGone(t, near, far)
	}
}

func testAliveAndGone(t *testing.T, c *Conn, far net.Conn) {
	if !c.Alive() || c.Gone() {
		t.Error("a silent peer is alive")
	}
	_, _ = far.Write([]byte("x"))
	until(t, func() bool { return !c.Alive() })
	if c.Gone() {
		t.Error("a peer that sent something is not gone")
	}
	if n := c.Last(make([]byte, 5)); n != 1 || !c.Alive() {
		t.Errorf("Last read %d", n)
	}
	_ = far.Close()
	until(t, func() bool { return !c.Alive() && c.Gone() })
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 10s")
		}
	}
}

func TestSplice(t *testing.T) {
	for range 3 {
		from, source := pair(t, true)
		to, sink := attached(t)
		testSplice(t, from, source, to, sink)
		from, source = attached(t)
		to, sink = pair(t, true)
		testSplice(t, from, source, to, sink)
	}
}

func testSplice(t *testing.T, from *Conn, source net.Conn, to *Conn, sink net.Conn) {
	want := make([]byte, 8<<20)
	_, _ = rand.Read(want)
	go func() { _, _ = source.Write(append(want, "rest"...)) }()
	got := make(chan []byte, 1)
	go func() {
		b := make([]byte, len(want))
		_, _ = io.ReadFull(sink, b)
		got <- b
	}()
	var last int64
	n, rerr, werr := from.Splice(to, int64(len(want)), func(taken int64) { last = taken })
	if n != int64(len(want)) || last != n || rerr != nil || werr != nil {
		t.Fatalf("%d, %d, %v, %v", n, last, rerr, werr)
	}
	if !bytes.Equal(<-got, want) {
		t.Fatal("differs")
	}
	b := make([]byte, 10)
	if n, err := from.Read(b); err != nil || string(b[:n]) != "rest" {
		t.Errorf("%q, %v", b[:n], err)
	}
}

// The side that failed is named, so that nobody is blamed for the other.
func TestSpliceFailures(t *testing.T) {
	from, source := pair(t, true)
	to, _ := pair(t, true)
	_, _ = source.Write([]byte("abc"))
	_ = source.Close()
	if n, rerr, werr := from.Splice(to, 10, func(int64) {}); n != 3 || !errors.Is(rerr, io.EOF) || werr != nil {
		t.Errorf("%d, %v, %v", n, rerr, werr)
	}
	from, _ = attached(t)
	from.SetReadDeadline(Now() + int64(20*time.Millisecond))
	if _, rerr, werr := from.Splice(to, 10, func(int64) {}); !errors.Is(rerr, ErrTimeout) || werr != nil {
		t.Errorf("%v, %v", rerr, werr)
	}
	from, source = pair(t, true)
	to, sink := attached(t)
	go func() { _, _ = source.Write(make([]byte, 32<<20)) }()
	_ = sink.Close()
	if _, rerr, werr := from.Splice(to, 32<<20, func(int64) {}); rerr != nil || werr == nil {
		t.Errorf("%v, %v", rerr, werr)
	}
	_ = from.Close()
}
