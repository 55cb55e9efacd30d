package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsMeetAndStayNarrow(t *testing.T) {
	for b := 1; b < bucket(1<<62); b++ {
		low := upper(b-1) + 1
		if bucket(low) != b || bucket(upper(b)) != b {
			t.Fatalf("bucket %d spans %d to %d, which are in buckets %d and %d", b, low, upper(b), bucket(low), bucket(upper(b)))
		}
		if width := upper(b) - low; float64(width) > 0.02*float64(low) {
			t.Fatalf("bucket %d spans %d to %d: more than 2 percent", b, low, upper(b))
		}
	}
}

func TestQuantilesAgreeWithSorting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h, parts [2]histogram
	var all []time.Duration
	for i := range 5000 {
		d := time.Duration(random.ExpFloat64() * float64(time.Millisecond))
		all = append(all, d)
		h[0].record(d)
		parts[i%2].record(d)
	}
	h[1].add(&parts[0])
	h[1].add(&parts[1])
	slices.Sort(all)
	for _, q := range []float64{0, 0.001, 0.5, 0.9, 0.99, 0.9999, 1} {
		exact := all[min(max(int(q*5000+0.9999)-1, 0), 4999)]
		for i := range h {
			if got := h[i].quantile(q); got < exact || float64(got) > 1.02*float64(exact)+1 {
				t.Errorf("quantile %v of histogram %d is %v, exactly %v", q, i, got, exact)
			}
		}
	}
	if h[1].max != all[4999] || h[1].total != 5000 {
		t.Errorf("max %v of %d, want %v of 5000", h[1].max, h[1].total, all[4999])
	}
	if got := new(histogram).quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing is %v", got)
	}
}
