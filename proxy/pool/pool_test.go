package pool

import (
	"slices"
	"testing"
)

type fake struct {
	dead, closed, odd bool
	sure              bool // it is known to be alive
	looked            int  // into
}

func (f *fake) Alive() bool  { f.looked++; return !f.dead }
func (f *fake) Close() error { f.closed = true; return nil }

// everybody knows what a connection says, and nobody knows nothing.
type (
	everybody struct{}
	nobody    struct{}
)

func (everybody) Sure(f *fake) bool { return f.sure }
func (nobody) Sure(*fake) bool      { return false }

const ms = int64(1e6)

func TestLastInFirstOut(t *testing.T) {
	p := New[*fake](2, nil)
	a, b, c := &fake{}, &fake{}, &fake{}
	p.Put(a, 1*ms, 0)
	p.Put(b, 2*ms, 0)
	p.Put(c, 3*ms, 0)
	if !c.closed || p.Idle() != 2 {
		t.Errorf("a full pool keeps %d, closed the third: %v", p.Idle(), c.closed)
	}
	if got, ok := p.Get(4*ms, 100*ms, false, nobody{}); !ok || got != b {
		t.Error("want the one used last")
	}
	if got, ok := p.Get(4*ms, 100*ms, false, nobody{}); !ok || got != a {
		t.Error("want the other one")
	}
	if _, ok := p.Get(4*ms, 100*ms, false, nobody{}); ok {
		t.Error("an empty pool gave something")
	}
}

func TestDeadAndOldAreNotGiven(t *testing.T) {
	p := New[*fake](10, nil)
	good, dead, old := &fake{}, &fake{dead: true}, &fake{}
	p.Put(old, 0, 0)
	p.Put(good, 90*ms, 0)
	p.Put(dead, 95*ms, 0)
	if got, ok := p.Get(100*ms, 50*ms, false, nobody{}); !ok || got != good || !dead.closed {
		t.Errorf("got %v, %v; the dead one is closed: %v", got, ok, dead.closed)
	}
	if _, ok := p.Get(100*ms, 50*ms, false, nobody{}); ok || !old.closed {
		t.Error("an old connection was given, or left open")
	}
}

func TestSweep(t *testing.T) {
	p := New[*fake](10, nil)
	old, dead, good := &fake{}, &fake{dead: true}, &fake{}
	p.Put(old, 0, 0)
	p.Put(dead, 60*ms, 0)
	p.Put(good, 60*ms, 0)
	p.Sweep(100*ms, 50*ms)
	if !old.closed || !dead.closed || good.closed || p.Idle() != 1 {
		t.Errorf("old closed %v, dead closed %v, good closed %v, %d left", old.closed, dead.closed, good.closed, p.Idle())
	}
}

func TestClosedPoolClosesWhatComesBack(t *testing.T) {
	p := New[*fake](10, nil)
	in, out := &fake{}, &fake{}
	p.Put(in, 0, 0)
	p.Close()
	p.Put(out, 0, 0)
	if !in.closed || !out.closed || p.Idle() != 0 {
		t.Errorf("closed %v, %v, %d left", in.closed, out.closed, p.Idle())
	}
}

// Connections that are wanted in quick succession are looked at together, and each look is good for
// a moment only; one that is not quiet is looked into.
func TestLooksAtSeveral(t *testing.T) {
	const us = int64(1000)
	var looks []int
	conns := []*fake{}
	p := New(40, func(list []*fake, quiet []bool) {
		looks = append(looks, len(list))
		for i, f := range list {
			quiet[i] = !f.dead && !f.odd
		}
	})
	for range 40 {
		conns = append(conns, &fake{})
		p.Put(conns[len(conns)-1], 1, 0)
	}
	now := 1000 * us
	next := 39
	get := func(after int64) *fake {
		t.Helper()
		now += after
		f, ok := p.Get(now, 100*ms, true, nobody{})
		if !ok {
			t.Fatal("nothing is left")
		}
		return f
	}
	for range 12 {
		if f := get(5 * us); f != conns[next] {
			t.Fatalf("not the one used last, of %d", next)
		}
		next--
	}
	// One by one, then 2, 4 and 8 of them: 1+2+4 are gone, and 5 of the 8.
	if want := []int{2, 4, 8}; !slices.Equal(looks, want) {
		t.Errorf("looks %v, want %v", looks, want)
	}
	if conns[39].looked != 1 || conns[38].looked+conns[30].looked != 0 {
		t.Errorf("looked into %d, %d, %d times", conns[39].looked, conns[38].looked, conns[30].looked)
	}
	conns[next].dead = true // after the look
	if f := get(60 * us); f == conns[next] {
		t.Error("a look is good for 50 us only")
	}
	next -= 2
	if len(looks) != 4 || looks[3] != 4 {
		t.Errorf("looks %v: less are wanted now", looks)
	}
	conns[next-3].odd = true // not quiet, and well all the same
	for range 3 {
		get(60 * us)
	}
	if conns[next-3].closed {
		t.Error("one that is well was closed")
	}
	if f, ok := p.Get(now-500*us, 100*ms, true, nobody{}); !ok || f.looked == 0 {
		t.Error("an old time is no reason to go without a look")
	}
}

func TestLooksAllocateNothing(t *testing.T) {
	p := New(100, func(_ []*fake, quiet []bool) {
		for i := range quiet {
			quiet[i] = true
		}
	})
	fakes := make([]fake, 20)
	now := int64(0)
	if n := testing.AllocsPerRun(100, func() {
		for i := range fakes {
			p.Put(&fakes[i], now, 0)
		}
		for range fakes {
			now += 1000
			if _, ok := p.Get(now, 100*ms, true, nobody{}); !ok {
				t.Fatal("empty")
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// No look is needed where it is known that there is nothing to see; requests that can not be sent
// again have one all the same.
func TestSure(t *testing.T) {
	looks := 0
	p := New(10, func([]*fake, []bool) { looks++ })
	sure, dead := &fake{sure: true}, &fake{dead: true}
	p.Put(dead, 1*ms, 0)
	p.Put(sure, 1*ms, 0)
	if got, ok := p.Get(2*ms, 100*ms, true, everybody{}); !ok || got != sure || sure.looked+looks != 0 {
		t.Errorf("got %v, %v; looked at it %d times", got, ok, sure.looked+looks)
	}
	p.Put(sure, 3*ms, 0)
	if got, ok := p.Get(4*ms, 100*ms, false, everybody{}); !ok || got != sure || sure.looked != 1 {
		t.Errorf("got %v, %v; looked at it %d times", got, ok, sure.looked)
	}
	if _, ok := p.Get(4*ms, 100*ms, true, everybody{}); ok || !dead.closed {
		t.Error("a dead connection was given, or left open")
	}
	p.Put(sure, 4*ms, 0)
	if _, ok := p.Get(200*ms, 100*ms, true, everybody{}); ok || !sure.closed {
		t.Error("an old connection was given, or left open")
	}
}
