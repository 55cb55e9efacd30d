package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/benchmarks/loadgen"
)

// idle is the trial of what an open connection costs while nothing happens on it: the
// growth of memory, on a process of its own for each turn, since memory that was used once
// is rarely given back.
type idle struct{ warm loader }

// settleTime is how long a peer may tidy up before its memory is read.
const settleTime = time.Second

// enter tries whether the peer can do it.
func (idle) enter(ctx context.Context, c *contender) error {
	return errors.Join(c.launch(ctx), c.end())
}

func (idle) takes(*bench) time.Duration { return 5 * time.Second }

func (t idle) turn(ctx context.Context, c *contender, _ int) (v values, err error) {
	if err := c.launch(ctx); err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, c.end())
	}()
	if _, err := t.warm(ctx, c, 1); err != nil { // buffers, pools and code are there
		return nil, fmt.Errorf("warm up: %w", err)
	}
	if err := sleep(ctx, settleTime); err != nil {
		return nil, err
	}
	before, err := treeMemory(c.process.pid())
	if err != nil {
		return nil, err
	}
	env, err := roleEnv("load", loadgen.Config{Kind: "idle", Address: c.site.address(), Host: host, Secure: c.site.Secure, Connections: c.st.idle, Body: c.st.body})
	if err != nil {
		return nil, err
	}
	clients, err := start("idle clients", c.st.loadCore, c.site.output()+".idle", env, c.st.tools.self)
	if err != nil {
		return nil, err
	}
	defer func() { _ = clients.stop() }()
	err = (&contender{peer: peer{name: clients.name}, process: clients}).await(ctx, func(context.Context) error {
		if !strings.HasSuffix(clients.printed(), "ready") {
			return fmt.Errorf("%d connections are not open yet", c.st.idle)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, settleTime); err != nil {
		return nil, err
	}
	after, err := treeMemory(c.process.pid())
	if err != nil {
		return nil, err
	}
	if gone := clients.ended(); gone != nil {
		return nil, gone
	}
	return values{idleKiB: float64(after-before) / 1024 / float64(c.st.idle), memoryMiB: mebibytes(after)}, nil
}

// sleep waits, or gives the reason why ctx ended first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
