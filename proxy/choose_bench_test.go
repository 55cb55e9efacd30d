package proxy

import (
	"testing"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// BenchmarkChoose is one choice among ten endpoints, by as many goroutines as there are cores.
func BenchmarkChoose(b *testing.B) {
	u := eased(10, 0)
	rot := newRotation(u, nil, newRegistry(4).endpoint)
	now := socket.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			rot.pick(now, nil, 0)
		}
	})
}
