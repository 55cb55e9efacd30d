package balance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// names are those of n items.
func names(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("10.0.%d.%d:80", i/250, i%250))
	}
	return out
}

func ones(n int) []int { return slices.Repeat([]int{1}, n) }

const keys = 20000

// homes are the names to which the keys belong.
func homes(r *Ring, names []string, usable func(i int) bool) []string {
	out := make([]string, keys)
	for k := range out {
		out[k] = names[r.Pick(Key(fmt.Appendf(nil, "/img/%d", k)), usable)]
	}
	return out
}

func moved(a, b []string, also func(from, to string) bool) (n int) {
	for k := range a {
		if a[k] != b[k] && also(a[k], b[k]) {
			n++
		}
	}
	return n
}

func any2(string, string) bool { return true }

// S30: a key keeps its item; one that leaves moves about its own share of the keys, whether it is
// out for a while or for good; one that comes takes its share and little else moves.
func TestS30RingMovesFewKeys(t *testing.T) {
	for _, n := range []int{2, 3, 5, 10, 50, 200} {
		all := names(n)
		ring := NewRing(all, ones(n))
		whole := homes(ring, all, func(int) bool { return true })
		if again := homes(NewRing(all, ones(n)), all, func(int) bool { return true }); !slices.Equal(whole, again) {
			t.Fatalf("%d items: two rings of the same differ", n)
		}
		gone := n / 2
		share := float64(keys) / float64(n)
		out := homes(ring, all, func(i int) bool { return i != gone })
		if n := moved(whole, out, func(from, _ string) bool { return from != all[gone] }); n != 0 {
			t.Errorf("%d keys moved that were not of the item that is out", n)
		}
		if slices.Contains(out, all[gone]) {
			t.Errorf("the item that is out has keys")
		}
		if m := float64(moved(whole, out, any2)); m < 0.7*share || m > 1.3*share {
			t.Errorf("%d items: %.0f of %d keys moved while one is out, want about %.0f", n, m, keys, share)
		}
		rest := slices.Delete(slices.Clone(all), gone, gone+1)
		after := homes(NewRing(rest, ones(n-1)), rest, func(int) bool { return true })
		if m := float64(moved(whole, after, any2)); m < 0.7*share || m > 2*share+0.02*keys {
			t.Errorf("%d items: %.0f of %d keys moved when one had gone, want about %.0f", n, m, keys, share)
		}
	}
}

// S30: an item of weight 2 has twice the keys of one of weight 1: Slardar's weights counted for
// all servers alike. The keys of one that is out go to many.
func TestS30RingWeights(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	cases := [][]int{{2, 1}, {2, 1, 1}, {5, 1, 1}, {1, 100}, {10, 20, 30}, {7}}
	for range 20 {
		w := make([]int, 2+rnd.IntN(20))
		for i := range w {
			w[i] = 1 + rnd.IntN(10)
		}
		cases = append(cases, w)
	}
	for _, w := range cases {
		all, total := names(len(w)), 0
		for _, x := range w {
			total += x
		}
		count := map[string]int{}
		for _, h := range homes(NewRing(all, w), all, func(int) bool { return true }) {
			count[h]++
		}
		for i, x := range w {
			want := float64(keys) * float64(x) / float64(total)
			if got := float64(count[all[i]]); got < 0.75*want-20 || got > 1.25*want+20 {
				t.Errorf("weights %v: the one of %d has %.0f keys, want about %.0f", w, x, got, want)
			}
		}
	}
	all := names(10)
	ring, heirs := NewRing(all, ones(10)), map[string]int{}
	whole := homes(ring, all, func(int) bool { return true })
	for k, h := range homes(ring, all, func(i int) bool { return i != 3 }) {
		if whole[k] == all[3] {
			heirs[h]++
		}
	}
	if len(heirs) != 9 {
		t.Errorf("the keys of one went to %v", heirs)
	}
}

func TestRingOfFew(t *testing.T) {
	if k := NewRing(nil, nil).Pick(1, func(int) bool { return true }); k != -1 {
		t.Errorf("got %d from nothing", k)
	}
	r := NewRing(names(300), ones(300))
	if k := r.Pick(9, func(int) bool { return false }); k != -1 {
		t.Errorf("got %d of what is not usable", k)
	}
	for only := range 300 {
		if k := r.Pick(9, func(i int) bool { return i == only }); k != only {
			t.Fatalf("got %d, only %d is usable", k, only)
		}
	}
}

func TestRandomShares(t *testing.T) {
	for _, w := range [][]int{{1}, {1, 1, 1}, {5, 1, 1}, {1, 2, 3, 4}, {1000, 1}} {
		r, total, count := NewRandom(w), 0, make([]int, len(w))
		for _, x := range w {
			total += x
		}
		const n = 200000
		for range n {
			count[r.Pick()]++
		}
		for i, x := range w {
			want := float64(n) * float64(x) / float64(total)
			if got := float64(count[i]); got < 0.93*want-60 || got > 1.07*want+60 {
				t.Errorf("weights %v: got %v", w, count)
				break
			}
		}
	}
	if NewRandom(nil).Pick() != -1 {
		t.Error("something out of nothing")
	}
}

// A slow answer is remembered at once, forgotten with time, and what has not answered yet gets
// one request at a time.
func TestLatency(t *testing.T) {
	var slow, fast, fresh Latency
	const ms, second = int64(1e6), int64(1e9)
	for i := range int64(100) {
		slow.Observe(i*10*ms, 5*ms)
		fast.Observe(i*10*ms, 5*ms)
	}
	slow.Observe(second, 500*ms)
	if s, f := slow.Cost(second, 0), fast.Cost(second, 0); s < 50*f {
		t.Errorf("one answer in half a second costs %.0f, others %.0f", s, f)
	}
	if f := fast.Cost(second, 9); f >= slow.Cost(second, 0) {
		t.Errorf("nine requests at a fast one cost %.0f", f)
	}
	if later := slow.Cost(second+80*second, 0); later > fast.Cost(second, 0) {
		t.Errorf("it costs %.0f long after", later)
	}
	slow.Observe(81*second, 5*ms)
	if s := slow.Cost(81*second, 0); s > 6e6 {
		t.Errorf("it costs %.0f when it is fast again", s)
	}
	if fresh.Cost(second, 0) != 0 || fresh.Cost(second, 1) < 1e12 {
		t.Error("one without an answer is not tried by one request")
	}
}

func BenchmarkRing(b *testing.B) {
	r, key := NewRing(names(10), ones(10)), []byte("/some/path/of/usual/length.html")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Pick(Key(key), all)
		}
	})
}

func BenchmarkRandom(b *testing.B) {
	r := NewRandom([]int{5, 3, 2})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Pick()
		}
	})
}
