package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// change is the trial of changes at many hosts: an endpoint is added to an upstream, and a
// host is moved to another one. A change is over when a client gets an answer that is due to
// it. Both are taken back at the end of a turn.
type change struct{}

func (change) enter(ctx context.Context, c *contender) error { return c.launch(ctx) }

func (change) takes(*bench) time.Duration { return 5 * time.Second }

// afterChange is how long the work after a change may go on that counts as its CPU time.
const afterChange = time.Second

func (t change) turn(ctx context.Context, c *contender, _ int) (values, error) {
	v := values{}
	first, moved := &c.site.Upstreams[0], &c.site.Hosts[0]
	before := *moved
	first.Endpoints = c.st.origins[:2]
	err := t.timed(ctx, c, c.setEndpoints, v, endpointMillis, endpointCPU)
	if err == nil && c.name == "sluice" {
		var seconds float64
		seconds, err = swapSeconds(ctx, c.site)
		v[applyMillis] = seconds * 1e3
	}
	if err != nil {
		return nil, fmt.Errorf("add an endpoint: %w", err)
	}
	first.Endpoints = c.st.origins[:1]
	if err := t.undone(ctx, c, c.setEndpoints); err != nil {
		return nil, fmt.Errorf("remove an endpoint: %w", err)
	}
	moved.Upstream = "other"
	if err := t.timed(ctx, c, c.moveHost, v, moveMillis, moveCPU); err != nil {
		return nil, fmt.Errorf("move a host: %w", err)
	}
	if v[memoryMiB], err = c.memory(); err != nil {
		return nil, err
	}
	*moved = before
	if err := t.undone(ctx, c, c.moveHost); err != nil {
		return nil, fmt.Errorf("move a host back: %w", err)
	}
	return v, nil
}

// timed makes a change and waits for its effect: an answer of the second origin.
func (change) timed(ctx context.Context, c *contender, make func(context.Context, *contender) error, v values, took, cost metric) error {
	cpu, err := treeCPU(c.process.pid())
	if err != nil {
		return err
	}
	began := time.Now()
	if err := make(ctx, c); err != nil {
		return err
	}
	if err := c.await(ctx, answeredBy(c, "y")); err != nil {
		return err
	}
	v[took] = millis(time.Since(began))
	if err := sleep(ctx, afterChange); err != nil {
		return err
	}
	after, err := treeCPU(c.process.pid())
	v[cost] = millis(after - cpu)
	return err
}

// undone takes a change back and waits until the second origin answers no more.
func (change) undone(ctx context.Context, c *contender, make func(context.Context, *contender) error) error {
	if err := make(ctx, c); err != nil {
		return err
	}
	return c.await(ctx, func(ctx context.Context) error {
		for range 8 {
			if err := answeredBy(c, "x")(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// answeredBy wants the first host to be answered by the origin with this letter.
func answeredBy(c *contender, letter string) func(context.Context) error {
	return func(ctx context.Context) error {
		answer, text, err := askOnce(ctx, c, http.MethodGet, false, host, nil)
		if err == nil && (answer.StatusCode != http.StatusOK || text == "" || text[:1] != letter) {
			err = fmt.Errorf("status %d, %.10q..., want %q", answer.StatusCode, text, letter)
		}
		return err
	}
}

// memory is that of the contender now, in MiB.
func (c *contender) memory() (float64, error) {
	n, err := treeMemory(c.process.pid())
	return mebibytes(n), err
}
