package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/benchmarks/loadgen"
)

// churn is the trial of endpoints that come and go under load: a time without changes, and
// a longer one with them, at the same steady rate of requests.
type churn struct{}

const (
	churnRate        = 1000 // requests/s, far from saturation
	churnConnections = 64
	churnLonger      = 3                     // times the load without changes
	churnEvery       = 10 * time.Millisecond // between changes
)

func (churn) enter(ctx context.Context, c *contender) error { return c.launch(ctx) }

func (churn) takes(b *bench) time.Duration { return (1+churnLonger)*b.load() + settleTime }

func (churn) turn(ctx context.Context, c *contender, seconds int) (values, error) {
	load := loadgen.Config{Kind: "steady", Address: c.site.address(), Host: host, Connections: churnConnections,
		Duration: time.Duration(seconds) * time.Second, Rate: churnRate}
	// What earlier changes left behind is over: nginx reloads after the signal.
	if err := sleep(ctx, settleTime); err != nil {
		return nil, err
	}
	calm, err := c.st.generate(ctx, load)
	if err != nil {
		return nil, err
	}
	if calm.Failures > 0 {
		return nil, fmt.Errorf("%d requests failed before any change: %v", calm.Failures, calm.Reasons)
	}
	load.Duration *= churnLonger
	changing, stop := context.WithCancel(ctx)
	type made struct {
		changes int
		err     error
	}
	done := make(chan made, 1)
	go func() {
		n, err := c.changeEndpoints(changing)
		done <- made{n, err}
	}()
	profiled := c.profile(ctx, int(load.Duration/time.Second))
	busy, err := c.st.generate(ctx, load)
	stop()
	changes := <-done
	err = errors.Join(err, profiled())
	if err != nil {
		return nil, err
	}
	if changes.err != nil {
		return nil, changes.err
	}
	if gone := c.process.ended(); gone != nil {
		return nil, gone
	}
	for reason, n := range busy.Reasons {
		c.st.say("%s: %s: %d x %s", c.st.sc.Name, c.name, n, reason)
	}
	return values{
		churnErrors: float64(busy.Failures),
		churnClosed: float64(busy.Closed),
		changeRate:  float64(changes.changes) / busy.Elapsed.Seconds(),
		p50:         micros(busy.P50),
		p99:         micros(busy.P99),
		calmP99:     micros(calm.P99),
		churnRatio:  float64(busy.P99) / float64(calm.P99),
	}, nil
}

// changeEndpoints adds and removes the second endpoint again and again until ctx ends. Each
// change has its time, and one that is late is made at once: only a peer that is slower than
// the beat makes fewer.
func (c *contender) changeEndpoints(ctx context.Context) (changes int, err error) {
	began := time.Now()
	for {
		due := began.Add(time.Duration(changes) * churnEvery)
		if sleep(ctx, time.Until(due)) != nil {
			return changes, nil // the load is over
		}
		c.site.Upstreams[0].Endpoints = c.st.origins[:1+(changes+1)%2]
		err := c.setEndpoints(ctx, c)
		switch {
		case ctx.Err() != nil:
			return changes, nil
		case err != nil:
			return changes, fmt.Errorf("change %d: %w", changes, err)
		}
		changes++
	}
}
