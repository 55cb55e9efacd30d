package proxy

import (
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/balance"
	"github.com/sluice-gateway/sluice/proxy/pool"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// skipFor is how long an endpoint is left out after a failed connect, unless no other is
// left. Health's verdict follows within this time.
const skipFor = int64(time.Second)

// endpoint is what is known about one address of one upstream. It outlives snapshots.
type endpoint struct {
	key      gateway.EndpointKey
	label    string                   // of the upstream, for metrics
	pool     *pool.Pool[*socket.Conn] // of HTTP/1.1
	streams  streamPool               // of HTTP/2
	inFlight atomic.Int64
	// skipUntil is when an endpoint whose connect failed is tried again; 0: it did not.
	skipUntil atomic.Int64
	outcomes  [numOutcomes]atomic.Uint64
	latency   balance.Latency // observed only where it decides
	drain     drain
	// ease is nil for an endpoint that gets its whole share. Only the compiling of rotations
	// reads and writes it.
	ease *ease
}

func newEndpoint(k gateway.EndpointKey, maxIdle int) *endpoint {
	return &endpoint{key: k, label: k.Upstream.String(), pool: pool.New(maxIdle, socket.Quiet)}
}

// close closes the connections that wait, and the others when they come back. What is under way
// has the drain time to end.
func (e *endpoint) close() {
	e.drain.leave()
	e.pool.Close()
	e.streams.close()
}

// due says whether a request could go to e, if no other one does. One that was tried elsewhere
// is not to find out whether e takes connections again.
func (e *endpoint) due(now int64, again bool) bool {
	until := e.skipUntil.Load()
	return until == 0 || now >= until && !again
}

// usable says whether a request may go to e. After a failed connect one request at a time
// is let through to try again.
func (e *endpoint) usable(now int64) bool {
	until := e.skipUntil.Load()
	return until == 0 || now >= until && e.skipUntil.CompareAndSwap(until, now+skipFor)
}

// outcome classifies an exchange for metrics.
type outcome uint8

const (
	outcomeSuccess outcome = iota // an answer below 500
	outcomeServerError
	outcomeConnect
	outcomeTimeout
	outcomeReset
	outcomeMalformed
	outcomeAborted // by the client: not the endpoint's fault
	outcomeDrained // the endpoint left, and the drain time was over
	numOutcomes
)

var outcomeNames = [numOutcomes]string{"success", "server_error", "connect", "timeout", "reset", "malformed", "client_abort", "drained"}

func outcomeOf(status int, f gateway.Failure) outcome {
	switch f {
	case gateway.FailureConnect:
		return outcomeConnect
	case gateway.FailureTimeout:
		return outcomeTimeout
	case gateway.FailureReset:
		return outcomeReset
	case gateway.FailureMalformed:
		return outcomeMalformed
	}
	if status >= 500 {
		return outcomeServerError
	}
	return outcomeSuccess
}
