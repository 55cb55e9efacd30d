package socket

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// watcher is told by a loop, and tells the test.
type watcher struct{ told chan int64 }

func newWatcher() *watcher { return &watcher{make(chan int64, 1)} }

func (w *watcher) Ready(t Turn) { w.told <- t.Now }

func (w *watcher) wait(t *testing.T) {
	t.Helper()
	select {
	case now := <-w.told:
		if late := Now() - now; late < 0 || late > int64(10*time.Second) {
			t.Errorf("told a time that is %v ago", time.Duration(late))
		}
	case <-time.After(20 * time.Second):
		t.Fatal("not told")
	}
}

// mustWatch has w wait. What has been read may be told once more before.
func mustWatch(t *testing.T, c *Conn, w Watcher) {
	t.Helper()
	for {
		switch waits, err := c.Watch(w); {
		case waits:
			return
		case err != nil:
			t.Fatalf("Watch: %v", err)
		}
		if n := c.ReadNow(make([]byte, 1)); n != Nothing {
			t.Fatalf("there is something to read: %d", n)
		}
	}
}

// A Watcher is told what happens, once for each Watch; what happened before is not slept through.
func TestWatch(t *testing.T) {
	c, far := attached(t)
	w, b := newWatcher(), make([]byte, 100)
	mustWatch(t, c, w)
	_, _ = io.WriteString(far, "one")
	w.wait(t)
	if n := c.ReadNow(b); string(b[:max(n, 0)]) != "one" {
		t.Fatalf("%d, %q", n, b)
	}
	_, _ = io.WriteString(far, "two")
	until(t, func() bool { return c.d.r.state.Load()&states == happened })
	if waits, err := c.Watch(w); waits || err != nil {
		t.Fatalf("something has come already: %v, %v", waits, err)
	}
	if n := c.ReadNow(b); string(b[:max(n, 0)]) != "two" || c.ReadNow(b) != Nothing {
		t.Fatalf("%d, %q", n, b)
	}
	mustWatch(t, c, w)
	c.Interrupt()
	w.wait(t)
	if waits, err := c.Watch(w); waits || !errors.Is(err, ErrInterrupted) {
		t.Fatalf("%v, %v", waits, err)
	}
	c.Resume()
	c.SetReadDeadline(Now() + int64(30*time.Millisecond))
	mustWatch(t, c, w)
	w.wait(t)
	if waits, err := c.Watch(w); waits || !errors.Is(err, ErrTimeout) {
		t.Fatalf("%v, %v", waits, err)
	}
	c.SetReadDeadline(0)
	mustWatch(t, c, w)
	_, _ = io.WriteString(far, "end")
	_ = far.(*net.TCPConn).CloseWrite()
	w.wait(t)
	if n := c.ReadNow(b[:3]); string(b[:max(n, 0)]) != "end" {
		t.Fatalf("%d, %q", n, b)
	}
	// The end may have come with the last bytes, and is not waited for.
	until(t, func() bool {
		waits, err := c.Watch(w)
		if waits {
			w.wait(t)
		}
		return err == nil && c.ReadNow(b) == Failed
	})
	if n, err := c.Read(b); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("Read does not tell: %d, %v", n, err)
	}
}

// mine is a Watcher that expects one byte, and closes the connection then.
type mine struct {
	c    *Conn
	want byte
	done chan string
}

func (m *mine) Ready(Turn) {
	b := make([]byte, 2)
	n := m.c.ReadNow(b)
	if n == Nothing {
		if waits, err := m.c.Watch(m); waits && err == nil {
			return
		}
		n = m.c.ReadNow(b)
	}
	fault := ""
	if n != 1 || b[0] != m.want {
		fault = "told of somebody else"
	}
	if m.c.Close() != nil || m.c.Close() == nil || m.c.d.use() {
		fault = "closed not at all, or twice"
	}
	m.done <- fault
}

// Numbers of descriptors are used again all the time; nobody is told of what is another's.
func TestNumbersAreUsedAgain(t *testing.T) {
	var all sync.WaitGroup
	for k := range 4 {
		all.Go(func() {
			for i := range 100 {
				c, far := pair(t, true)
				if !c.Attach() {
					t.Error("not attached")
					return
				}
				m := &mine{c, byte(k*100 + i), make(chan string, 1)}
				if waits, err := c.Watch(m); !waits || err != nil {
					t.Errorf("%v, %v", waits, err)
					return
				}
				_, _ = far.Write([]byte{m.want})
				if fault := <-m.done; fault != "" {
					t.Error(fault)
				}
			}
		})
	}
	all.Wait()
}

// gate is a Watcher that keeps its loop busy until it is opened.
type gate struct{ entered, open chan struct{} }

func (g *gate) Ready(Turn) {
	close(g.entered)
	<-g.open
}

// note is a Watcher that notes its turn.
type note struct {
	name  int
	mu    *sync.Mutex
	turns *[]int
}

func (n *note) Ready(Turn) {
	n.mu.Lock()
	*n.turns = append(*n.turns, n.name)
	n.mu.Unlock()
}

// A loop tells in the order in which things happened.
func TestOrder(t *testing.T) {
	first, opener := attached(t)
	g := &gate{make(chan struct{}), make(chan struct{})}
	mustWatch(t, first, g)
	var mu sync.Mutex
	var turns, want []int
	var far []net.Conn
	for len(far) < 40 {
		c, f := attached(t)
		if c.d.loop != first.d.loop {
			continue
		}
		mustWatch(t, c, &note{len(far), &mu, &turns})
		far = append(far, f)
	}
	_, _ = io.WriteString(opener, "x")
	<-g.entered
	for i := range far {
		k := (i*7 + 3) % len(far)
		want = append(want, k)
		_, _ = io.WriteString(far[k], "x")
		time.Sleep(time.Millisecond) // on its way, on a busy machine too
	}
	close(g.open)
	until(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(turns) == len(far)
	})
	if !slices.Equal(turns, want) {
		t.Errorf("turns  %v\nevents %v", turns, want)
	}
}

// A loop is sure of what nothing has happened on, and of nothing that is not its own.
func TestSure(t *testing.T) {
	c, far := attached(t)
	own, none, other := Turn{Now(), c.d.loop}, Turn{}, Turn{Now(), &loop{}}
	until(t, func() bool { return own.Sure(c) })
	if none.Sure(c) || other.Sure(c) {
		t.Error("others are sure as well")
	}
	_, _ = io.WriteString(far, "x")
	until(t, func() bool { return !own.Sure(c) })
	plain, _ := pair(t, true)
	if own.Sure(plain) {
		t.Error("nobody looks at that one")
	}
	left, leaver := attached(t)
	_ = leaver.Close()
	own = Turn{Now(), left.d.loop}
	until(t, func() bool { return !own.Sure(left) })
}

// What a question or an answer has no room for is sent by a wait.
func TestNowAndLater(t *testing.T) {
	long := make([]byte, 16<<20)
	_, _ = rand.Read(long)
	echo := func(far net.Conn, n int) chan bool {
		same := make(chan bool, 1)
		go func() {
			b := make([]byte, n)
			_, err := io.ReadFull(far, b)
			same <- err == nil && bytes.Equal(b[n-len(long):], long)
			_, _ = io.WriteString(far, "ok")
		}()
		return same
	}
	b := make([]byte, 10)
	answered := func(c *Conn) {
		t.Helper()
		if n, err := c.Read(b); err != nil || string(b[:n]) != "ok" {
			t.Fatalf("%q, %v", b[:n], err)
		}
	}
	c, far := attached(t)
	if c.AskNow([]byte("head"), long) {
		t.Error("16 MiB at once")
	}
	same := echo(far, 4+len(long))
	answered(c)
	if !<-same || c.Asked() != 4+len(long) {
		t.Errorf("the question came out of order, or not: %d", c.Asked())
	}
	if !c.AskNow([]byte("short"), nil) || c.Asked() != 5 {
		t.Errorf("%d of 5 bytes", c.Asked())
	}
	_, _ = io.ReadFull(far, b[:5])

	if c.WriteNow([]byte("head"), long) {
		t.Error("16 MiB at once")
	}
	same = echo(far, 4+len(long))
	if err := c.Flush(); err != nil || !<-same {
		t.Errorf("%v", err)
	}
	answered(c)
	if !c.WriteNow([]byte("a"), []byte("b")) || !c.WriteNow(nil, nil) || c.Flush() != nil {
		t.Error("a little was not sent at once")
	}

	s, client := tlsPair(t, tls.VersionTLS13)
	if !s.Attach() {
		t.Fatal("not attached")
	}
	if s.WriteNow([]byte("head"), long) {
		t.Error("16 MiB at once")
	}
	same = echo(client, 4+len(long))
	if err := s.Flush(); err != nil || !<-same {
		t.Errorf("over TLS: %v", err)
	}
	answered(s)
	_ = client.Close()
	until(t, func() bool { return !s.WriteNow(long[:1000], nil) })
	if s.Flush() == nil {
		t.Error("the client has gone, and nobody says so")
	}
}

// Over TLS a Watcher reads what has come, also what came in one piece with the last, and is not told
// of half a record.
func TestWatchTLS(t *testing.T) {
	c, far := tlsPair(t, tls.VersionTLS13)
	if !c.Attach() {
		t.Fatal("not attached")
	}
	b := make([]byte, 4)
	got := ""
	w := newWatcher()
	take := func(want string) {
		t.Helper()
		for got = ""; got != want; {
			switch n := c.ReadNow(b); {
			case n > 0:
				got += string(b[:n])
			case n == Failed:
				t.Fatalf("failed after %q", got)
			default:
				if c.Holds() {
					t.Fatal("it says that it holds something")
				}
				if waits, err := c.Watch(w); err != nil {
					t.Fatal(err)
				} else if waits {
					w.wait(t)
				}
			}
			if len(got) > len(want) {
				t.Fatalf("%q", got)
			}
		}
	}
	_, _ = io.WriteString(far, "one, and two")
	take("one, and two")
	for _, text := range []string{"a", string(bytes.Repeat([]byte("long "), 5000))} {
		_, _ = io.WriteString(far, text)
		take(text)
	}
	// What a goroutine has left in crypto/tls is found.
	_, _ = io.WriteString(far, "12345678")
	c.SetReadDeadline(0)
	if n, err := c.Read(b); err != nil || n != 4 || !c.Holds() {
		t.Fatalf("%d, %v, holds %v", n, err, c.Holds())
	}
	take("5678")
	// Of two records that came together the second is held, and nothing behind it.
	if n := c.ReadNow(b); n != Nothing {
		t.Fatalf("%d", n)
	}
	mustWatch(t, c, w)
	_, _ = io.WriteString(far, "first")
	_, _ = io.WriteString(far, "second")
	w.wait(t)
	until(t, func() bool { return unread(c) == len("firstsecond")+2*(5+1+16) })
	b = make([]byte, 100)
	for _, want := range []string{"first", "second"} {
		if n := c.ReadNow(b); string(b[:max(n, 0)]) != want || c.Holds() != (want == "first") {
			t.Fatalf("%d %q instead of %q, holds %v", n, b, want, c.Holds())
		}
	}
	_ = far.Close()
	until(t, func() bool {
		if waits, _ := c.Watch(w); waits {
			w.wait(t)
		}
		return c.ReadNow(b) == Failed
	})
}

// unread is how many bytes the socket holds (SIOCINQ).
func unread(c *Conn) int {
	var n int32
	_ = c.raw.Control(func(fd uintptr) {
		_, _, _ = syscall.RawSyscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&n)))
	})
	return int(n)
}
