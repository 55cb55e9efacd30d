package pool

import "testing"

type fake struct{ dead, closed bool }

func (f *fake) Alive() bool  { return !f.dead }
func (f *fake) Close() error { f.closed = true; return nil }

const ms = int64(1e6)

func TestLastInFirstOut(t *testing.T) {
	p := New[*fake](2)
	a, b, c := &fake{}, &fake{}, &fake{}
	p.Put(a, 1*ms)
	p.Put(b, 2*ms)
	p.Put(c, 3*ms)
	if !c.closed || p.Idle() != 2 {
		t.Errorf("a full pool keeps %d, closed the third: %v", p.Idle(), c.closed)
	}
	if got, ok := p.Get(4*ms, 100*ms); !ok || got != b {
		t.Error("want the one used last")
	}
	if got, ok := p.Get(4*ms, 100*ms); !ok || got != a {
		t.Error("want the other one")
	}
	if _, ok := p.Get(4*ms, 100*ms); ok {
		t.Error("an empty pool gave something")
	}
}

func TestDeadAndOldAreNotGiven(t *testing.T) {
	p := New[*fake](10)
	good, dead, old := &fake{}, &fake{dead: true}, &fake{}
	p.Put(old, 0)
	p.Put(good, 90*ms)
	p.Put(dead, 95*ms)
	if got, ok := p.Get(100*ms, 50*ms); !ok || got != good || !dead.closed {
		t.Errorf("got %v, %v; the dead one is closed: %v", got, ok, dead.closed)
	}
	if _, ok := p.Get(100*ms, 50*ms); ok || !old.closed {
		t.Error("an old connection was given, or left open")
	}
}

func TestSweep(t *testing.T) {
	p := New[*fake](10)
	old, dead, good := &fake{}, &fake{dead: true}, &fake{}
	p.Put(old, 0)
	p.Put(dead, 60*ms)
	p.Put(good, 60*ms)
	p.Sweep(100*ms, 50*ms)
	if !old.closed || !dead.closed || good.closed || p.Idle() != 1 {
		t.Errorf("old closed %v, dead closed %v, good closed %v, %d left", old.closed, dead.closed, good.closed, p.Idle())
	}
}

func TestClosedPoolClosesWhatComesBack(t *testing.T) {
	p := New[*fake](10)
	in, out := &fake{}, &fake{}
	p.Put(in, 0)
	p.Close()
	p.Put(out, 0)
	if !in.closed || !out.closed || p.Idle() != 0 {
		t.Errorf("closed %v, %v, %d left", in.closed, out.closed, p.Idle())
	}
}
