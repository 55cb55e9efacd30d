package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// readyTime bounds the wait for a program's first proper answer, and every other wait.
const readyTime = 60 * time.Second

// contender is a peer in a scenario: its site, and its process while it runs.
type contender struct {
	peer
	site    site
	st      *stage
	process *process // nil while it does not run
	// started is how long the last start took, from the start of the program to the first
	// proper answer.
	started time.Duration
	twin    *contender // the same peer with few hosts; nil for most trials
}

// newContender prepares a peer for the scenario, without starting it.
func (st *stage) newContender(p peer, dir string, set setting) (*contender, error) {
	s, err := p.prepare(dir, set, st.origins)
	if err != nil {
		return nil, err
	}
	return &contender{peer: p, site: s, st: st}, nil
}

// launch starts the peer's process and waits for its first proper answer.
func (c *contender) launch(ctx context.Context) (err error) {
	began := time.Now()
	command := append([]string{c.program(c.st.tools)}, c.args(c.site)...)
	if c.process, err = start(c.name, c.st.proxyCore, c.site.output(), c.env, command...); err != nil {
		return err
	}
	if err := c.await(ctx, c.check); err != nil {
		return errors.Join(err, c.end())
	}
	c.started = time.Since(began)
	return nil
}

// end stops the peer's process, if it runs.
func (c *contender) end() error {
	p := c.process
	if p == nil {
		return nil
	}
	c.process = nil
	return p.stop()
}

// halt ends the contender and its twin.
func (c *contender) halt() error {
	if c.twin != nil {
		return errors.Join(c.twin.end(), c.end())
	}
	return c.end()
}

// await asks again and again until there is no error, the process has ended or it takes
// too long.
func (c *contender) await(ctx context.Context, ask func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := ask(limited)
		if err == nil {
			return nil
		}
		if gone := c.process.ended(); gone != nil {
			return gone
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limited.Done():
			return fmt.Errorf("%s gives no proper answer (%w); it printed: %s", c.name, err, c.process.printed())
		case <-time.After(pause):
		}
	}
}

// check asks for the scenario's work once.
func (c *contender) check(ctx context.Context) error {
	if c.ready != nil {
		if _, err := fetch(ctx, c.ready(c.site)); err != nil {
			return fmt.Errorf("not ready: %w", err)
		}
	}
	return c.st.sc.probe(ctx, c)
}
