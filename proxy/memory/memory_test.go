package memory

import "testing"

func TestLend(t *testing.T) {
	for n, want := range map[int]int{0: Size4, 1: Size4, Size4: Size4, Size4 + 1: Size16, 64 << 10: Size72, Size256: Size256, Size256 + 1: Size256 + 1} {
		for range 3 {
			b := Lend(n)
			if len(b) != 0 || cap(b) != want {
				t.Errorf("for %d bytes: %d of %d", n, len(b), cap(b))
			}
			b = append(b, make([]byte, n)...)
			if cap(b) != want {
				t.Errorf("there was no room for %d bytes", n)
			}
			TakeBack(b)
		}
	}
}

// Two that have memory at the same time have not the same.
func TestLendApart(t *testing.T) {
	var all [][]byte
	for i := range 100 {
		b := append(Lend(Size4), byte(i))
		if i%3 == 0 {
			TakeBack(b)
			continue
		}
		all = append(all, b)
	}
	for i, b := range all {
		if want := byte(i + i/2 + 1); b[0] != want {
			t.Fatalf("the memory of %d has %d", want, b[0])
		}
	}
}

func TestLendAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(1000, func() { TakeBack(Lend(Size16)) }); n >= 1 { // but when the collector empties the pool
		t.Errorf("%v allocations", n)
	}
}
