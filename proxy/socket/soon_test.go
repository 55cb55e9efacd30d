package socket

import (
	"testing"
	"time"
)

// It yields while that pays, stops when it does not, and tries again now and then.
func TestSoonLearns(t *testing.T) {
	var s soon
	tried := 0
	for range 160 {
		if s.try() {
			tried++
			s.learn(false)
		}
	}
	if tried != 10 {
		t.Errorf("yielded %d times of 160 though it never paid", tried)
	}
	for range 16 {
		if s.try() {
			s.learn(true)
		}
	}
	for i := range 20 {
		if !s.try() {
			t.Fatalf("does not yield at %d though it pays", i)
		}
		s.learn(true)
	}
	for i := 0; s.score > 0; i++ {
		if s.learn(false); i > 20 {
			t.Fatal("never gives up")
		}
	}
}

// ReadSoon gives what Read does, whether it is there or has to be waited for.
func TestReadSoon(t *testing.T) {
	c, far := pair(t, true)
	b := make([]byte, 10)
	for i := range 100 {
		if i%3 == 0 {
			go func() {
				time.Sleep(time.Millisecond)
				_, _ = far.Write([]byte("late"))
			}()
		} else if _, err := far.Write([]byte("here")); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(Now() + int64(time.Minute))
		if n, err := c.ReadSoon(b); err != nil || n != 4 {
			t.Fatalf("read %d: %d bytes, %v", i, n, err)
		}
	}
}
