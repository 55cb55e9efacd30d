package balance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

func all(int) bool { return true }

// reference is nginx's algorithm as it is written there, without any shortcut.
func reference(weights []int, n int) (out []int) {
	current := make([]int, len(weights))
	for range n {
		total, best := 0, -1
		for i, w := range weights {
			current[i] += w
			total += w
			if best < 0 || current[i] > current[best] {
				best = i
			}
		}
		current[best] -= total
		out = append(out, best)
	}
	return out
}

func TestAgainstReference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	cases := [][]int{{1}, {1, 1, 1}, {5, 1, 1}, {10, 20, 30}, {1000, 999, 997, 991, 983}, {4, 4}}
	for range 50 {
		w := make([]int, 1+rnd.IntN(8))
		for i := range w {
			w[i] = 1 + rnd.IntN(1+rnd.IntN(1000))
		}
		cases = append(cases, w)
	}
	for _, w := range cases {
		r := New(w, nil)
		var got []int
		for range 3000 {
			got = append(got, r.Pick(all))
		}
		if want := reference(reduce(w), 3000); !slices.Equal(got, want) {
			t.Errorf("weights %v: got %v..., want %v...", w, got[:20], want[:20])
		}
	}
}

// A huge rotation is worked out turn by turn and must come out the same.
func TestLongRotation(t *testing.T) {
	var w []int
	for i := range 60 {
		w = append(w, 900+i*7%97)
	}
	r := New(w, nil)
	if r.seq != nil || r.equal {
		t.Fatal("this rotation should be too long to keep")
	}
	var got []int
	for range 2000 {
		got = append(got, r.Pick(all))
	}
	if !slices.Equal(got, reference(w, 2000)) {
		t.Error("differs from the reference")
	}
}

func TestSharesUnderConcurrency(t *testing.T) {
	r := New([]int{5, 3, 2}, nil)
	var mu sync.Mutex
	var wg sync.WaitGroup
	counts := [3]int{}
	for range 8 {
		wg.Go(func() {
			var mine [3]int
			for range 1000 {
				mine[r.Pick(all)]++
			}
			mu.Lock()
			defer mu.Unlock()
			for i, n := range mine {
				counts[i] += n
			}
		})
	}
	wg.Wait()
	if counts != [3]int{4000, 2400, 1600} {
		t.Errorf("got %v", counts)
	}
}

// The share of an item that is left out is spread over all the others.
func TestLeftOutShareIsSpread(t *testing.T) {
	r := New([]int{1, 1, 1, 1}, nil)
	counts := [4]int{}
	for range 3000 {
		counts[r.Pick(func(i int) bool { return i != 1 })]++
	}
	if counts[1] != 0 {
		t.Fatalf("got %v", counts)
	}
	for i, n := range counts {
		if i != 1 && (n < 900 || n > 1300) {
			t.Errorf("got %v, want about 1000 each", counts)
		}
	}
}

func TestNothingUsable(t *testing.T) {
	if k := New([]int{1, 2}, nil).Pick(func(int) bool { return false }); k != -1 {
		t.Errorf("got %d", k)
	}
	if k := New(nil, nil).Pick(all); k != -1 {
		t.Errorf("got %d from nothing", k)
	}
}

// A changed set goes on from where the old one was.
func TestGoesOnAfterChange(t *testing.T) {
	first := 0
	var before *RoundRobin
	for range 300 { // a swap before every request
		r := New([]int{1, 1, 1}, before)
		if r.Pick(all) == 0 {
			first++
		}
		before = r
	}
	if first != 100 {
		t.Errorf("the first item got %d of 300 requests", first)
	}
	if !before.Same([]int{2, 2, 2}) || before.Same([]int{1, 2, 1}) {
		t.Error("Same is wrong")
	}
}

func ExampleRoundRobin() {
	r := New([]int{5, 1, 1}, nil)
	var turns []string
	for range 7 {
		turns = append(turns, string(rune('a'+r.Pick(func(int) bool { return true }))))
	}
	fmt.Println(strings.Join(turns, " "))
	// Output: a a b a c a a
}

func BenchmarkPick(b *testing.B) {
	r := New([]int{5, 3, 2}, nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Pick(all)
		}
	})
}
