package store_test

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// BenchmarkUpdate writes one object again and again, as an upstream whose endpoints come and go. It
// must not become slower with the number of writes.
func BenchmarkUpdate(b *testing.B) {
	for _, before := range []int{0, 5000} {
		b.Run(fmt.Sprintf("after=%d", before), func(b *testing.B) {
			s := storetest.Open(b, store.Config{DataDir: b.TempDir(), UnsafeNoFsync: true})
			n := 0
			write := func() {
				n++
				if _, err := s.Put(b.Context(), tenant("acme", fmt.Sprintf("%d.example.com", n)), by); err != nil {
					b.Fatal(err)
				}
			}
			for range before {
				write()
			}
			b.ReportAllocs()
			for b.Loop() {
				write()
			}
		})
	}
}
