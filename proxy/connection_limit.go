package proxy

import (
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// connectionLimit is the compiled connectionLimit filter of a route.
type connectionLimit struct {
	key      limitKey
	most     int
	is       *http1.Error
	progress *progress
}

func newConnectionLimit(l *gateway.ConnectionLimit, p *progress) *connectionLimit {
	return &connectionLimit{key: newLimitKey(l.Key), most: l.Max, progress: p,
		is: &http1.Error{Status: l.Status, Class: "connection_limit", Text: "as many requests as the route takes are in progress"}}
}

// takes counts the request until x.endProgress, or says why it is refused.
func (l *connectionLimit) takes(x *exchange) *http1.Error {
	key := l.key.of(x)
	if !l.progress.begin(key, l.most) {
		x.retryIn = 1
		return l.is
	}
	x.progress, x.progressKey = l.progress, key
	return nil
}

// endProgress undoes what takes did. It comes before the last bytes of the answer are sent: whoever
// has them may ask again at once, on another connection, which is served by another processor.
func (x *exchange) endProgress() {
	if x.progress != nil {
		x.progress.end(x.progressKey)
		x.progress = nil
	}
}

// progress counts the requests in progress of each key. It holds those keys alone that have
// any, and outlives snapshots, whatever they make of the limit.
type progress struct {
	refused atomic.Uint64
	shards  [bucketShards]progressShard
}

type progressShard struct {
	mu    sync.Mutex
	count map[uint64]int // guarded by mu
	_     [64]byte       // keeps neighbours off this cache line
}

func (p *progress) begin(key uint64, most int) bool {
	sh := &p.shards[key%bucketShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	n := sh.count[key]
	if n >= most {
		p.refused.Add(1)
		return false
	}
	if sh.count == nil {
		sh.count = map[uint64]int{}
	}
	sh.count[key] = n + 1
	return true
}

func (p *progress) end(key uint64) {
	sh := &p.shards[key%bucketShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.count[key]--; sh.count[key] <= 0 {
		delete(sh.count, key)
	}
}

// keys is how many have requests in progress.
func (p *progress) keys() (n int) {
	for i := range p.shards {
		sh := &p.shards[i]
		sh.mu.Lock()
		n += len(sh.count)
		sh.mu.Unlock()
	}
	return n
}
