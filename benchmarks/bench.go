package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// readyTime bounds the wait for a program's first proper answer.
const readyTime = 60 * time.Second

// bench runs scenarios. The fields are set by main and do not change.
type bench struct {
	tools               tools
	peers               []peer // the reference first
	rounds, seconds     int
	proxyCore, loadCore int
	progress            io.Writer
}

// contender is a peer that runs and answers.
type contender struct {
	peer
	site
	process *process
	origin  string // address of the origin behind it; empty for the origin itself
}

// measureAll lets all peers take turns at one scenario. It ends every process that it started,
// also when it fails or ctx ends.
func (b *bench) measureAll(ctx context.Context, sc scenario) (result scenarioResult, err error) {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return result, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var started []*process
	defer func() {
		for _, p := range slices.Backward(started) {
			if stopErr := p.stop(); stopErr != nil && err == nil {
				err = stopErr
			}
		}
	}()
	begin := func(p peer, core int, originAddress string) (contender, error) {
		c, err := b.begin(ctx, p, core, dir, originAddress, sc)
		if c.process != nil {
			started = append(started, c.process)
		}
		return c, err
	}
	source, err := begin(origin, b.loadCore, "")
	if err != nil {
		return result, err
	}
	var contenders []contender
	for _, p := range b.peers {
		c, err := begin(p, b.proxyCore, source.Listen)
		if err != nil {
			return result, err
		}
		contenders = append(contenders, c)
	}
	return b.takeTurns(ctx, sc, contenders)
}

// begin starts a peer and waits for its first proper answer.
func (b *bench) begin(ctx context.Context, p peer, core int, dir, originAddress string, sc scenario) (c contender, err error) {
	s, err := p.prepare(dir, originAddress, sc)
	if err != nil {
		return c, err
	}
	c = contender{peer: p, site: s, origin: originAddress}
	command := append([]string{p.program(b.tools)}, p.args(s)...)
	if c.process, err = start(p.name, core, p.env, command...); err != nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for {
		err := c.check(ctx)
		if err == nil {
			return c, nil
		}
		if gone := c.process.ended(); gone != nil {
			return c, gone
		}
		select {
		case <-ctx.Done():
			return c, fmt.Errorf("%s gives no proper answer (%w); it printed: %s", p.name, err, c.process.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// takeTurns warms every contender up and then measures all of them in each round, in
// alternating order, so that a machine that gets slower or faster does so for everyone.
func (b *bench) takeTurns(ctx context.Context, sc scenario, contenders []contender) (scenarioResult, error) {
	result := scenarioResult{Name: sc.Name, About: sc.About, Goal: sc.Goal}
	for _, c := range contenders {
		b.say("%s: warm up %s", sc.Name, c.name)
		if _, err := b.measure(ctx, sc, c, min(b.seconds, 3)); err != nil {
			return result, fmt.Errorf("warm up %s: %w", c.name, err)
		}
	}
	for round := 1; round <= b.rounds; round++ {
		order := slices.Clone(contenders)
		if round%2 == 0 {
			slices.Reverse(order)
		}
		for _, c := range order {
			turn, err := b.measure(ctx, sc, c, b.seconds)
			if err != nil {
				return result, fmt.Errorf("round %d of %s: %w", round, c.name, err)
			}
			turn.Round = round
			result.Turns = append(result.Turns, turn)
			b.say("%s: round %d/%d %s", sc.Name, round, b.rounds, turn)
		}
	}
	result.summarize()
	return result, nil
}

func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, format+"\n", args...)
}
