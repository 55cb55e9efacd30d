package names

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// listener notes the calls, and fails them as it is told.
type listener struct {
	calls []string // read and written by one goroutine at a time: one name only
	err   error
}

func (l *listener) note(verb string, r Record) error {
	l.calls = append(l.calls, fmt.Sprintf("%s %s %v", verb, r.Host, r.Since.Sub(bubbleStart)))
	return l.err
}

func (l *listener) Announce(_ context.Context, r Record) error { return l.note("announce", r) }
func (l *listener) Withdraw(_ context.Context, r Record) error { return l.note("withdraw", r) }

// bubbleStart is when the time of a synctest bubble begins.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func bubble(t *testing.T, edit func(*Config), story func(k *Keeper, l *listener)) *listener {
	t.Helper()
	l := &listener{}
	synctest.Test(t, func(t *testing.T) {
		cfg := defaults(t, l, &memory{})
		edit(&cfg)
		k, stop := keep(t, cfg)
		story(k, l)
		stop()
	})
	return l
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func calls(t *testing.T, l *listener, want ...string) {
	t.Helper()
	if fmt.Sprint(l.calls) != fmt.Sprint(want) {
		t.Errorf("calls %q, want %q", l.calls, want)
	}
}

// A name goes when its service has been gone for the grace; one that comes back in time stays.
func TestGrace(t *testing.T) {
	l := bubble(t, func(c *Config) { c.Grace = 10 * time.Minute }, func(k *Keeper, _ *listener) {
		k.Apply(snapshot("api"))
		pass(time.Minute)
		k.Apply(snapshot())
		pass(9 * time.Minute)
		k.Apply(snapshot("api"))
		pass(time.Hour)
		k.Apply(snapshot())
		pass(9 * time.Minute)
		if s := k.Status(); s != (Status{Leading: true, Leaving: 1}) {
			t.Errorf("status %+v", s)
		}
		pass(time.Hour)
	})
	calls(t, l, "announce api.shop.svc.example.test 0s", "withdraw api.shop.svc.example.test 1h20m0s")
}

// Nothing is withdrawn while a source of services is down, however long, and the grace begins
// only when it is back.
func TestSourcesDown(t *testing.T) {
	var complete atomic.Bool
	complete.Store(true)
	l := bubble(t, func(c *Config) {
		c.Grace = 10 * time.Minute
		c.Complete = complete.Load
	}, func(k *Keeper, _ *listener) {
		k.Apply(snapshot("api"))
		pass(time.Minute)
		complete.Store(false)
		k.Apply(snapshot())
		pass(24 * time.Hour)
		complete.Store(true)
		pass(9 * time.Minute)
	})
	calls(t, l, "announce api.shop.svc.example.test 0s")
}

// A failing call is repeated with a growing pause and the same identity; a rejected one is
// not; one for a name that somebody else has, once an hour.
func TestAttempts(t *testing.T) {
	for _, c := range []struct {
		err            error
		fewest, utmost int // calls in ten hours
	}{
		{errors.New("no answer"), 10*12 + 8, 10*24 + 16}, // every five minutes, or down to half of it
		{fmt.Errorf("%w: 400", ErrRejected), 1, 1},
		{fmt.Errorf("%w: by hand", ErrTaken), 10, 11},
	} {
		l := bubble(t, func(*Config) {}, func(k *Keeper, l *listener) {
			l.err = c.err
			k.Apply(snapshot("api"))
			pass(10 * time.Hour)
			if s := k.Status(); s.Failing != 1 || s.Pending != 1 || len(k.Problems()) != 1 {
				t.Errorf("%v: status %+v, %+v", c.err, s, k.Problems())
			}
		})
		if n := len(l.calls); n < c.fewest || n > c.utmost {
			t.Errorf("%v: %d calls, want %d to %d", c.err, n, c.fewest, c.utmost)
		}
		for _, call := range l.calls {
			if call != l.calls[0] {
				t.Errorf("%v: %q and %q are not one call", c.err, l.calls[0], call)
			}
		}
	}
}

// A rejected name is announced when it is another one: here its service goes and comes back.
func TestRejectedAndBack(t *testing.T) {
	l := bubble(t, func(*Config) {}, func(k *Keeper, l *listener) {
		l.err = ErrRejected
		k.Apply(snapshot("api"))
		pass(time.Minute)
		l.err = nil
		k.Apply(snapshot())
		pass(time.Minute)
		k.Apply(snapshot("api"))
		pass(time.Minute)
		if s := k.Status(); s != (Status{Leading: true, Announced: 1}) {
			t.Errorf("status %+v", s)
		}
	})
	calls(t, l, "announce api.shop.svc.example.test 0s", "withdraw api.shop.svc.example.test 1m0s", "announce api.shop.svc.example.test 2m0s")
}

// A process that does not lead calls nobody and knows nothing.
func TestOnlyTheLeaderAnnounces(t *testing.T) {
	l := bubble(t, func(c *Config) {
		c.Lead = func(ctx context.Context, _ func(context.Context) error) error {
			<-ctx.Done()
			return nil
		}
	}, func(k *Keeper, _ *listener) {
		k.Apply(snapshot("api"))
		pass(time.Hour)
		if s := k.Status(); s != (Status{}) || len(k.Records()) != 0 {
			t.Errorf("status %+v", s)
		}
	})
	calls(t, l)
}
