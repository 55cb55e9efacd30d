package socket

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	const second = int64(time.Second)
	p := pace{Pace: &Pace{Rate: 100, Grace: 5 * second}}
	p.begin(1000)
	if at := p.due(); at != 1000+5*second {
		t.Errorf("at the start due after %d", at-1000)
	}
	p.moved, p.waited = 300, 2*second
	if at := p.due(); at != 1000+3*second {
		t.Errorf("300 bytes in two seconds: due after %d", at-1000)
	}
	p.moved, p.waited = 2000, 7*second
	if at := p.due(); at != 1000+13*second {
		t.Errorf("2000 bytes in seven seconds: due after %d", at-1000)
	}
	p.moved, p.Rate = 1<<62, 1
	if at := p.due(); at < 1000 {
		t.Errorf("very many bytes: due at %d", at)
	}
}

// A peer that sends a little now and then is ended by its average, long before its silences
// are too long.
func TestSlowSender(t *testing.T) {
	both(t, func(t *testing.T, c *Conn, far net.Conn) {
		stop := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
					if _, err := far.Write([]byte("x")); err != nil {
						return
					}
				}
			}
		}()
		c.PaceReads(&Pace{Rate: 100_000, Grace: int64(100 * time.Millisecond)})
		began := time.Now()
		b := make([]byte, 10)
		var err error
		for err == nil {
			c.SetReadDeadline(Now() + int64(time.Minute))
			_, err = c.Read(b)
		}
		if took := time.Since(began); !errors.Is(err, ErrTimeout) || took < 50*time.Millisecond || took > 30*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		c.PaceReads(nil)
		c.SetReadDeadline(Now() + int64(time.Minute))
		if _, err := c.Read(b); err != nil {
			t.Errorf("without a pace: %v", err)
		}
		close(stop)
		<-ended
	})
}

// Time in which nobody waits for the peer does not count.
func TestPaceCountsWaitsOnly(t *testing.T) {
	c, far := pair(t, true)
	c.PaceReads(&Pace{Rate: 1, Grace: int64(300 * time.Millisecond)})
	b := make([]byte, 1)
	for range 4 {
		time.Sleep(150 * time.Millisecond)
		if _, err := far.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
		c.SetReadDeadline(Now() + int64(time.Minute))
		if _, err := c.Read(b); err != nil {
			t.Fatal(err)
		}
	}
	if c.in.pace.waited > int64(100*time.Millisecond) {
		t.Errorf("waited %d", c.in.pace.waited)
	}
}

// sip reads so many bytes a second until stop.
func sip(far net.Conn, rate int, stop, ended chan struct{}) {
	defer close(ended)
	b, began, got := make([]byte, 64<<10), time.Now(), 0
	for {
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
		if due := int(time.Since(began).Seconds()*float64(rate)) - got; due > 0 {
			n, err := far.Read(b[:min(due, len(b))])
			if err != nil {
				return
			}
			got += n
		}
	}
}

func TestSlowTaker(t *testing.T) {
	for name, w := range map[string]struct {
		sip  int
		pace Pace
		err  error
	}{
		// A third of the buffer does not come free within two seconds, but something does.
		"slow and steady":  {30_000, Pace{Rate: 1000, Grace: int64(time.Minute), Stall: int64(2 * time.Second)}, nil},
		"below the pace":   {1000, Pace{Rate: 100 << 20, Grace: int64(300 * time.Millisecond), Stall: int64(time.Minute)}, ErrTimeout},
		"takes nothing":    {0, Pace{Rate: 1, Grace: int64(time.Minute), Stall: int64(200 * time.Millisecond)}, ErrTimeout},
		"without any pace": {0, Pace{}, ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			c, far := pair(t, true)
			if err := c.Net().(*net.TCPConn).SetWriteBuffer(200 << 10); err != nil {
				t.Fatal(err)
			}
			if err := far.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
				t.Fatal(err)
			}
			stop, ended := make(chan struct{}), make(chan struct{})
			if w.sip > 0 {
				go sip(far, w.sip, stop, ended)
			} else {
				close(ended)
			}
			c.PaceWrites(&w.pace)
			done := make(chan error, 1)
			go func() {
				c.SetWriteDeadline(Now() + int64(200*time.Millisecond))
				_, err := c.Write(make([]byte, 1<<20))
				done <- err
			}()
			if w.err == nil {
				select {
				case err := <-done:
					t.Errorf("ended with %v", err)
				case <-time.After(3500 * time.Millisecond):
				}
				close(stop)
				<-ended
				go func() { _, _ = io.Copy(io.Discard, far) }()
			}
			select {
			case err := <-done:
				if !errors.Is(err, w.err) {
					t.Errorf("%v, want %v", err, w.err)
				}
			case <-time.After(30 * time.Second):
				t.Error("the write goes on for ever")
			}
			if w.err != nil && w.sip > 0 {
				close(stop)
				_ = far.Close()
				<-ended
			}
		})
	}
}
