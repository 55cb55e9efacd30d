package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// bench runs scenarios. The fields are set by main and do not change.
type bench struct {
	tools               tools
	peers               []peer // the reference first
	rounds, seconds     int
	warm                int // seconds of load before the first round; 0: none
	idle                int // idle connections
	hosts               int // how many are many
	proxyCore, loadCore int
	began               time.Time
	progress            io.Writer
	profiles            string // folder for CPU profiles of Sluice; empty: none are taken
}

// measureAll lets all peers take turns at one scenario. It ends every process that it
// started, also when it fails or ctx ends. A peer that cannot do the work at all, or fails
// later, is named in the result with the reason; only the reference must do it.
func (b *bench) measureAll(ctx context.Context, sc scenario) (result scenarioResult, err error) {
	if sc.set.Hosts > 1 {
		sc.set.Hosts = b.hosts
	}
	result = scenarioResult{Name: sc.Name, About: sc.About, Main: sc.main}
	st, err := b.newStage(ctx, sc)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	for _, p := range b.peers {
		c, err := st.newContender(p, st.dir, sc.set)
		if err != nil {
			return result, err
		}
		st.contenders = append(st.contenders, c)
		b.say("%s: prepare %s", sc.Name, c.name)
		if err := b.enter(ctx, sc, c); err != nil {
			if err := st.leaveOut(ctx, &result, c, "not supported", err); err != nil {
				return result, err
			}
		}
	}
	return result, st.takeTurns(ctx, &result)
}

// enter readies a contender and warms it up.
func (b *bench) enter(ctx context.Context, sc scenario, c *contender) error {
	if err := sc.trial.enter(ctx, c); err != nil {
		return err
	}
	if work, ok := sc.trial.(requests); ok && b.warm > 0 {
		if _, err := work.load(ctx, c, b.warm); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
	}
	return nil
}

// leaveOut takes a contender out of the scenario and notes why. The end of ctx and a
// failing reference are errors.
func (st *stage) leaveOut(ctx context.Context, result *scenarioResult, c *contender, verdict string, reason error) error {
	if ctx.Err() != nil || c.name == reference {
		return fmt.Errorf("%s: %w", c.name, reason)
	}
	text := verdict + ": " + oneLine(reason.Error())
	st.say("%s: %s: %s", st.sc.Name, c.name, text)
	result.Missing = append(result.Missing, missing{c.name, text})
	st.contenders = slices.DeleteFunc(st.contenders, func(o *contender) bool { return o == c })
	return c.halt()
}

// oneLine shortens a message of a program for a table.
func oneLine(text string) string {
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "/")
	if len(text) > 300 {
		text = text[:300] + "..."
	}
	return text
}

// takeTurns measures all contenders in each round, in alternating order, so that a machine
// that gets slower or faster does so for everyone.
func (st *stage) takeTurns(ctx context.Context, result *scenarioResult) error {
	rounds := st.sc.rounds(st.bench)
	for round := 1; round <= rounds; round++ {
		order := slices.Clone(st.contenders)
		if round%2 == 0 {
			slices.Reverse(order)
		}
		for _, c := range order {
			v, err := st.sc.trial.turn(ctx, c, st.seconds)
			if err != nil {
				err = fmt.Errorf("round %d: %w", round, err)
				if err := st.leaveOut(ctx, result, c, "failed", err); err != nil {
					return err
				}
				continue
			}
			t := turn{Round: round, Peer: c.name, Values: v}
			result.Turns = append(result.Turns, t)
			st.say("%s: round %d/%d %s", st.sc.Name, round, rounds, t)
		}
	}
	result.summarize()
	return nil
}

// say prints a line of progress with the time since the start.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, "%5.0fs "+format+"\n", append([]any{time.Since(b.began).Seconds()}, args...)...)
}

// load is the length of one load.
func (b *bench) load() time.Duration { return time.Duration(b.seconds) * time.Second }

// estimate is about how long the scenarios take.
func (b *bench) estimate(chosen []scenario) time.Duration {
	ready := 1500*time.Millisecond + time.Duration(b.warm)*time.Second // one contender
	total := time.Duration(0)
	for _, sc := range chosen {
		total += time.Second + time.Duration(len(b.peers))*(time.Duration(sc.rounds(b))*sc.trial.takes(b)+ready)
	}
	return total
}
