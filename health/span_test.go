package health

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// The span of a probe is over when the target is stopped, or when its time is up, for those who
// look, those who wait and those who read; with the result there it is over by stop alone.
func TestSpan(t *testing.T) {
	const soon, late = time.Second, time.Hour
	for _, c := range []struct {
		name    string
		length  time.Duration
		stopped bool // before its time is up
		want    error
	}{
		{"its time is up", soon, false, context.DeadlineExceeded},
		{"it is stopped", late, true, context.Canceled},
		{"it is stopped and its time is up", soon, true, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, began := new(span), time.Now()
				s.begin(began.Add(c.length))
				conn, peer := net.Pipe()
				defer closeQuietly(peer)
				defer closeQuietly(conn)
				release := holdWith(s, conn)
				if c.stopped {
					time.AfterFunc(soon/2, s.stop)
				}
				if at, ok := s.Deadline(); !ok || !at.Equal(began.Add(c.length)) || s.Err() != nil || s.Value(0) != nil {
					t.Errorf("it begins with %v %v %v", at, ok, s.Err())
				}
				if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("a read ends with %v", err)
				}
				<-s.Done()
				if !errors.Is(s.Err(), c.want) {
					t.Errorf("it is over with %v, want %v", s.Err(), c.want)
				}
				want := soon
				if c.stopped {
					want = soon / 2
				}
				if took := time.Since(began); took != want {
					t.Errorf("it was over after %s, want %s", took, want)
				}
				release()
			})
		})
	}
}

func TestSpanSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(span)
		s.begin(time.Now().Add(time.Second))
		done := s.Done()
		s.settle()
		time.Sleep(time.Minute)
		select {
		case <-done:
			t.Error("its time was up after its result was there")
		default:
		}
		if _, ok := s.Deadline(); ok || s.Err() != nil {
			t.Errorf("it is over with %v", s.Err())
		}
		s.stop()
		s.stop()
		<-done
		if !errors.Is(s.Err(), context.Canceled) {
			t.Errorf("stopped, with %v", s.Err())
		}
		conn, peer := net.Pipe()
		defer closeQuietly(peer)
		defer closeQuietly(conn)
		s.hold(conn)
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a read on a connection that came too late: %v", err)
		}
		late := new(span)
		late.stop()
		<-late.Done()
	})
}
