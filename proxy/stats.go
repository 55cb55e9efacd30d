package proxy

import (
	"math/bits"
	"runtime"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/gateway"
)

// statsKey names what requests are counted by, besides listener and code.
type statsKey struct {
	tenant, route string
	upstream      gateway.UpstreamKey
}

// stats counts the requests of one route to one upstream. Counters are spread over shards
// by connection, so that cores do not fight for them, and summed on scrape. A listener's
// part is made with its first request.
type stats struct {
	key   statsKey
	cells [maxListeners]atomic.Pointer[cell]
}

type cell struct{ shards []shard }

// shard is written by the connections whose number falls on it.
type shard struct {
	codes [6]atomic.Pointer[[100]atomic.Uint64] // by class and rest, such as 4 and 04
	times [numBuckets]atomic.Uint64
	total atomic.Uint64 // nanoseconds
	_     [64]byte      // keeps neighbours off this cache line
}

// numBuckets are the buckets of request times: each twice as wide as the one before, the
// first up to 2^minBucket nanoseconds (about 16 us), the last one above 68 s.
const (
	minBucket  = 14
	numBuckets = 24
)

var numShards = func() uint32 {
	n := uint32(1)
	for n < uint32(min(runtime.GOMAXPROCS(0), 64)) {
		n *= 2
	}
	return n
}()

func newStats(k statsKey) *stats { return &stats{key: k} }

// add counts one request.
func (s *stats) add(listener int, conn uint32, status int, took int64) {
	c := s.cells[listener].Load()
	if c == nil {
		c = s.makeCell(listener)
	}
	sh := &c.shards[conn&(numShards-1)]
	class := sh.codes[status/100].Load()
	if class == nil {
		class = sh.makeClass(status / 100)
	}
	class[status%100].Add(1)
	sh.times[bucket(took)].Add(1)
	sh.total.Add(uint64(took))
}

func (s *stats) makeCell(listener int) *cell {
	c := &cell{shards: make([]shard, numShards)}
	if s.cells[listener].CompareAndSwap(nil, c) {
		return c
	}
	return s.cells[listener].Load()
}

func (sh *shard) makeClass(class int) *[100]atomic.Uint64 {
	c := new([100]atomic.Uint64)
	if sh.codes[class].CompareAndSwap(nil, c) {
		return c
	}
	return sh.codes[class].Load()
}

// bucket is the index of the smallest power of two that is not below took.
func bucket(took int64) int {
	if took <= 1<<minBucket {
		return 0
	}
	return min(bits.Len64(uint64(took-1))-minBucket, numBuckets-1)
}

// sum adds up a listener's shards. ok is false when it had no request.
func (s *stats) sum(listener int) (codes map[int]uint64, times [numBuckets]uint64, total float64, ok bool) {
	c := s.cells[listener].Load()
	if c == nil {
		return nil, times, 0, false
	}
	codes = map[int]uint64{}
	for i := range c.shards {
		sh := &c.shards[i]
		for class := range sh.codes {
			if p := sh.codes[class].Load(); p != nil {
				for rest := range p {
					if n := p[rest].Load(); n > 0 {
						codes[class*100+rest] += n
					}
				}
			}
		}
		for b := range times {
			times[b] += sh.times[b].Load()
		}
		total += float64(sh.total.Load()) / 1e9
	}
	return codes, times, total, true
}
