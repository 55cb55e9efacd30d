package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// A Read after an Ask writes the question and returns the answer, whatever the size of the two and
// the kind of connection.
func TestAsk(t *testing.T) {
	both(t, func(t *testing.T, c *Conn, far net.Conn) {
		sizes := []int{1, 100, 70_000, 8 << 20}
		go func() {
			for _, n := range sizes {
				for range 3 {
					b := make([]byte, n+5)
					if _, err := io.ReadFull(far, b); err != nil {
						return
					}
					_, _ = far.Write(b[len(b)-5:])
				}
			}
		}()
		b := make([]byte, 10)
		for _, n := range sizes {
			for i, q := range [][2][]byte{{bytes.Repeat([]byte("x"), n), []byte("12345")}, {append(bytes.Repeat([]byte("x"), n), "12345"...), nil}, {nil, append(bytes.Repeat([]byte("x"), n), "12345"...)}} {
				c.SetWriteDeadline(Now() + int64(time.Minute))
				c.SetReadDeadline(Now() + int64(time.Minute))
				if _, err := c.Ask(q[0], q[1]); err != nil {
					t.Fatal(err)
				}
				if got, err := c.Read(b); err != nil || string(b[:got]) != "12345" {
					t.Fatalf("%d bytes, form %d: %q, %v", n, i, b[:got], err)
				}
				if c.Asked() == 0 {
					t.Error("nothing was written, it says")
				}
			}
		}
	})
}

// What the peer said before it closed is read though the question could not be taken whole; one that
// takes nothing is told from one that does not answer.
func TestAskInVain(t *testing.T) {
	b := make([]byte, 100)
	large := make([]byte, 32<<20)

	c, far := pair(t, true)
	go func(far net.Conn) {
		_, _ = io.ReadFull(far, make([]byte, 10))
		_, _ = far.Write([]byte("no more"))
		time.Sleep(50 * time.Millisecond)
		_ = far.Close()
	}(far)
	c.SetWriteDeadline(Now() + int64(time.Minute))
	c.SetReadDeadline(Now() + int64(time.Minute))
	if _, err := c.Ask(large, nil); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(b); string(b[:n]) != "no more" && !resetOrPipe(err) { // a reset may take it away
		t.Errorf("early answer: %q, %v", b[:n], err)
	}

	c, _ = pair(t, true)
	c.SetWriteDeadline(Now() + int64(50*time.Millisecond))
	c.SetReadDeadline(Now() + int64(time.Minute))
	if _, err := c.Ask(large, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(b); !errors.Is(err, ErrUnsent) || !errors.Is(err, ErrTimeout) {
		t.Errorf("a peer that takes nothing: %v", err)
	}

	c, far = pair(t, true)
	_ = far.Close()
	time.Sleep(10 * time.Millisecond)
	c.SetReadDeadline(Now() + int64(time.Minute))
	for i, want := range []bool{false, true} { // the first write is answered by a reset
		if _, err := c.Ask([]byte("x"), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(b); err == nil || (c.Asked() == 0) != want {
			t.Errorf("question %d to nobody: %v, %d bytes written", i, err, c.Asked())
		}
	}

	c, _ = pair(t, true)
	c.SetReadDeadline(Now() + int64(50*time.Millisecond))
	if _, err := c.Ask([]byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(b); !errors.Is(err, ErrTimeout) || errors.Is(err, ErrUnsent) || c.Asked() != 1 {
		t.Errorf("a peer that does not answer: %v, %d bytes written", err, c.Asked())
	}
}

func resetOrPipe(err error) bool {
	return err != nil && !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrUnsent)
}
