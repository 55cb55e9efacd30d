package proxy

import (
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// rateLimit is the compiled rateLimit filter of a route.
type rateLimit struct {
	key       limitKey
	interval  int64 // between two requests at the rate, nanoseconds
	tolerance int64 // by how much requests may come early
	is        *http1.Error
	buckets   *buckets
}

func newRateLimit(l *gateway.RateLimit, b *buckets) *rateLimit {
	interval, burst := int64(l.Interval()), 0
	if l.Burst != nil {
		burst = *l.Burst
	}
	return &rateLimit{key: newLimitKey(l.Key), interval: interval, tolerance: interval * int64(burst), buckets: b,
		is: &http1.Error{Status: l.Status, Class: "rate_limit", Text: "requests come faster than the route takes them"}}
}

// takes counts the request, or says why it is refused.
func (l *rateLimit) takes(x *exchange) *http1.Error {
	wait := l.buckets.take(l.key.of(x), x.startedAt, l.interval, l.tolerance)
	if wait == 0 {
		return nil
	}
	x.retryIn = (wait + 1e9 - 1) / 1e9
	return l.is
}

// maxKeys is how many keys of one limit are remembered at the most; beyond that, the one that has
// been silent for longest is forgotten, and begins anew.
const maxKeys = 1 << 16

// bucketShards are the parts of buckets: each has a lock of its own.
const bucketShards = 16

// buckets remembers of each key when its bucket will be full again (GCRA, ITU-T I.371), which
// is all there is to know. It outlives snapshots, whatever they make of rate and burst.
type buckets struct {
	refused atomic.Uint64
	shards  [bucketShards]bucketShard
}

type bucketShard struct {
	mu   sync.Mutex
	full *simplelru.LRU[uint64, int64] // guarded by mu; nil until it is needed
	_    [64]byte                      // keeps neighbours off this cache line
}

// take takes one from a key's bucket at now. It returns 0, or after how many nanoseconds there
// will be one to take.
func (b *buckets) take(key uint64, now, interval, tolerance int64) (wait int64) {
	sh := &b.shards[key%bucketShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.full == nil {
		sh.full, _ = simplelru.NewLRU[uint64, int64](maxKeys/bucketShards, nil) // fails for sizes below 1 only
	}
	full, known := sh.full.Get(key)
	if !known {
		sh.forget(now)
	}
	full = min(max(full, now), now+tolerance+interval) // no more than that even if the limit was lower before
	if wait = full - now - tolerance; wait > 0 {
		b.refused.Add(1)
		return wait
	}
	sh.full.Add(key, full+interval)
	return 0
}

// forget drops keys that have been silent for longest if their buckets are full, which is what a
// new key's is: two for each new one, so that a route remembers those who come, and not for ever
// everybody who came once. mu is held.
func (sh *bucketShard) forget(now int64) {
	for range 2 {
		if _, full, ok := sh.full.GetOldest(); !ok || full > now {
			return
		}
		sh.full.RemoveOldest()
	}
}

// keys is how many are remembered.
func (b *buckets) keys() (n int) {
	for i := range b.shards {
		sh := &b.shards[i]
		sh.mu.Lock()
		if sh.full != nil {
			n += sh.full.Len()
		}
		sh.mu.Unlock()
	}
	return n
}
