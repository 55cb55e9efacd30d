package loadgen

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/test/load"
)

// Config says what to send. All kinds need Address, Host and Connections.
type Config struct {
	Kind        string // "handshakes", "websocket", "idle" or "steady"
	Address     string
	Host        string
	Secure      bool // idle: TLS
	Resume      bool // handshakes: with tickets; else full ones
	Connections int
	Duration    time.Duration
	Size        int     // websocket: bytes in a message, at most 125
	Rate        float64 // steady: requests/s
	Body        string  // what an answer must hold; empty: anything
}

// Result is what a run did.
type Result struct {
	Requests      int64
	Elapsed       time.Duration
	P50, P99, Max time.Duration
	P999          time.Duration // 0 when it was not measured
	Failures      int64         // steady only; every other kind stops at the first
	Closed        int64         // steady: connections that the server closed
	Reasons       map[string]int
}

// Run sends the load. An idle load is ready when it writes a line to out, and lasts until
// ctx ends.
func Run(ctx context.Context, c Config, out io.Writer) (Result, error) {
	switch c.Kind {
	case "handshakes":
		return handshakes(ctx, c)
	case "websocket":
		return webSocket(ctx, c)
	case "idle":
		return Result{}, idle(ctx, c, out)
	case "steady":
		return steady(ctx, c), nil
	}
	return Result{}, fmt.Errorf("unknown kind of load %q", c.Kind)
}

// steady counts failures and lateness at a fixed rate.
func steady(ctx context.Context, c Config) Result {
	r := load.Run(ctx, load.Config{URL: "http://" + c.Address + "/", Host: c.Host, Conns: c.Connections,
		Duration: c.Duration, RatePerSecond: c.Rate, Timeout: 5 * time.Second})
	return Result{Requests: int64(r.Requests), Elapsed: r.Elapsed, P50: r.Latency.P50, P99: r.Latency.P99, Max: r.Latency.Max,
		Failures: int64(r.Failures), Closed: int64(r.Closed), Reasons: r.Reasons}
}

// latencies is what one client measured.
type latencies []time.Duration

// resultOf sums up the clients.
func resultOf(elapsed time.Duration, each []latencies) Result {
	all := slices.Concat(each...)
	if len(all) == 0 {
		return Result{Elapsed: elapsed}
	}
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[min(len(all)-1, int(q*float64(len(all))))] }
	return Result{Requests: int64(len(all)), Elapsed: elapsed, P50: at(0.5), P99: at(0.99), P999: at(0.999), Max: all[len(all)-1]}
}
