package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// taker collects what Serve hands on, and answers each piece.
type taker struct {
	c     *Conn
	buf   []byte
	got   []byte
	lent  int
	until string // Serve is to end when all that came ends with it
}

func (w *taker) Borrow() []byte {
	w.lent++
	return w.buf
}

func (w *taker) GiveUp() { w.lent-- }

func (w *taker) Take(n int) bool {
	w.lent = 0
	w.got = append(w.got, w.buf[:n]...)
	if _, err := w.c.Write([]byte("!")); err != nil {
		return false
	}
	return !bytes.HasSuffix(w.got, []byte(w.until))
}

// Serve hands on everything, however it is cut, and waits for more by itself.
func TestServe(t *testing.T) {
	both(t, func(t *testing.T, c *Conn, far net.Conn) {
		long := strings.Repeat("abc", 5000)
		w := &taker{c: c, buf: make([]byte, 1000), until: "."}
		go func() {
			answer := make([]byte, 100)
			for _, piece := range []string{"one", long, "two"} {
				_, _ = io.WriteString(far, piece)
				_, _ = far.Read(answer)
			}
			_, _ = io.WriteString(far, ".")
		}()
		c.SetReadDeadline(Now() + int64(20*time.Second))
		if err := c.Serve(w); err != nil || string(w.got) != "one"+long+"two." {
			t.Fatalf("%d bytes, %v", len(w.got), err)
		}
	})
}

// A FIN that came together with the last bytes is found when the deadline has passed, if not at
// once.
func TestServeSeesTheEnd(t *testing.T) {
	c, far := pair(t, true)
	w := &taker{c: c, buf: make([]byte, 1000), until: "."}
	_, _ = io.WriteString(far, "last")
	_ = far.(*net.TCPConn).CloseWrite()
	for end := time.Now().Add(20 * time.Second); ; {
		c.SetReadDeadline(Now() + int64(20*time.Millisecond))
		err := c.Serve(w)
		if errors.Is(err, io.EOF) {
			break
		}
		if !errors.Is(err, ErrTimeout) || time.Now().After(end) {
			t.Fatalf("%v instead of the end", err)
		}
	}
	if string(w.got) != "last" {
		t.Errorf("got %q", w.got)
	}
}

// What waits in Serve is interrupted, and cut, by others.
func TestServeIsEnded(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(c *Conn)
		want error
	}{
		"interrupt": {(*Conn).Interrupt, ErrInterrupted},
		"cut":       {(*Conn).Cut, io.EOF},

		"interrupt, attached": {(*Conn).Interrupt, ErrInterrupted},
		"cut, attached":       {(*Conn).Cut, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			conn, far := pair(t, true)
			if name == "interrupt, attached" || name == "cut, attached" {
				conn, far = attached(t)
			}
			w := &taker{c: conn, buf: make([]byte, 10)}
			w.until = "never"
			_, _ = io.WriteString(far, "x")
			go func() {
				_, _ = far.Read(make([]byte, 1)) // serve has run
				c.end(conn)
			}()
			if err := conn.Serve(w); !errors.Is(err, c.want) {
				t.Errorf("%v instead of %v", err, c.want)
			}
			if w.lent > 1 {
				t.Errorf("%d buffers are out", w.lent)
			}
		})
	}
}

// A connection that was aborted is closed with a reset.
func TestAbort(t *testing.T) {
	both(t, func(t *testing.T, c *Conn, far net.Conn) {
		if _, ok := c.nc.(hidden); ok {
			return // it has no way to reset
		}
		c.Abort()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("read: %v instead of a reset", err)
		}
	})
}

// hooked is a connection that calls hook before a read deadline is set.
type hooked struct {
	net.Conn
	hook func()
}

func (h *hooked) SetReadDeadline(at time.Time) error {
	if h.hook != nil {
		f := h.hook
		h.hook = nil
		f()
	}
	return h.Conn.SetReadDeadline(at)
}

// An Interrupt that comes while a passed timer is set anew is not lost.
func TestInterruptMeetsTimer(t *testing.T) {
	_, far := pair(t, true)
	h := &hooked{Conn: far}
	c := New(h)
	b := make([]byte, 1)
	c.SetReadDeadline(Now() + int64(time.Millisecond))
	if _, err := c.Read(b); !errors.Is(err, ErrTimeout) {
		t.Fatalf("%v instead of a timeout", err)
	}
	h.hook = c.Interrupt
	began := time.Now()
	c.SetReadDeadline(Now() + int64(20*time.Second))
	if _, err := c.Read(b); !errors.Is(err, ErrInterrupted) {
		t.Errorf("%v instead of %v", err, ErrInterrupted)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("noticed after %v, when the deadline had passed", took)
	}
}
