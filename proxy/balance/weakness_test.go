package balance

import (
	"strings"
	"testing"
)

// turnsOf are n turns in letters.
func turnsOf(r *RoundRobin, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('a' + r.Pick(all)))
	}
	return b.String()
}

// S27: the order of weights 5:1:1; after a failure the share of one halves, and grows by one with
// each turn until it is whole again, and the order with it.
func TestS27Weights(t *testing.T) {
	r := New([]int{5, 1, 1}, nil)
	if got := turnsOf(r, 14); got != "aabacaaaabacaa" {
		t.Errorf("5:1:1 is %s", got)
	}
	for _, c := range []struct{ fails, low, high int }{
		{1, 40, 85}, // half of 100 at first, 100 at the end
		{5, 30, 75},
	} {
		r := New([]int{100, 50, 50}, nil)
		r.Pick(all)
		for range c.fails {
			r.Fail(0)
		}
		first := strings.Count(turnsOf(r, 20), "a") // of 10 that are its share
		if c.fails == 1 && (first < 4 || first > 7) || c.fails == 5 && first > 2 {
			t.Errorf("after %d failures it has %d of its 10 turns", c.fails, first)
		}
		turnsOf(r, 200)
		if r.weak.Load() != nil {
			t.Error("it is weak after as many turns as its weight")
		}
		if got, want := turnsOf(r, 200), strings.Count(turnsOf(New([]int{100, 50, 50}, nil), 200), "a"); strings.Count(got, "a") != want {
			t.Errorf("then it has %d of 200 turns, want %d", strings.Count(got, "a"), want)
		}
	}
}

// What a weak item does not get goes to the others, and it is used when there is nobody else.
func TestWeakIsBetterThanNobody(t *testing.T) {
	r := New([]int{10, 10}, nil)
	r.Fail(0)
	for range 20 {
		if k := r.Pick(func(i int) bool { return i == 0 }); k != 0 {
			t.Fatalf("got %d", k)
		}
	}
	if k := r.Pick(func(int) bool { return false }); k != -1 {
		t.Errorf("got %d of what is not usable", k)
	}
	for _, w := range [][]int{{1, 1, 1}, {7}} { // nothing to lose
		r := New(w, nil)
		r.Fail(0)
		if r.weak.Load() != nil {
			t.Errorf("weights %v have a weak one", w)
		}
	}
	r.Fail(-1)
	r.Fail(9)
}

// Weights that have a divisor in common are as weak as they are written.
func TestWeakCommonDivisor(t *testing.T) {
	r := New([]int{10, 10}, nil)
	r.Fail(1)
	if lacks := (*r.weak.Load())[1].lacks.Load(); lacks != 5 {
		t.Errorf("it lacks %d of 10", lacks)
	}
	r.Fail(1)
	if lacks := (*r.weak.Load())[1].lacks.Load(); lacks != 7 { // of 5, rounded up, 3 are left
		t.Errorf("then it lacks %d of 10", lacks)
	}
}
