package proxy

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
)

// Lines may still come while the log is closed, from streams that outlive their connection.
// Those that were taken are written.
func TestAccessLogCloses(t *testing.T) {
	for range 300 {
		var out bytes.Buffer
		l := newAccessLog(&out, slog.New(slog.DiscardHandler))
		line := bytes.Repeat([]byte("x"), logFlush/2)
		const adders, each = 2, 4
		var wg sync.WaitGroup
		for range adders {
			wg.Go(func() {
				for range each {
					l.add(line)
				}
			})
		}
		l.close()
		wg.Wait()
		if want := (adders*each - int(l.dropped.Load())) * len(line); out.Len() != want {
			t.Fatalf("%d bytes were written of %d", out.Len(), want)
		}
	}
}
