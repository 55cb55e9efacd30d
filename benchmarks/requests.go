package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sluice-gateway/sluice/benchmarks/loadgen"
)

// requests is the trial of most scenarios: a load, and what each request costs.
type requests struct {
	load loader
	// inFlight is how many requests may be under way when the load ends: the origin has seen
	// them, and the load did not wait for them.
	inFlight int
}

// generated is a load of package loadgen.
func generated(c loadgen.Config) loader {
	return func(ctx context.Context, to *contender, seconds int) (loaded, error) {
		c.Address, c.Host, c.Duration = to.site.address(), host, time.Duration(seconds)*time.Second
		r, err := to.st.generate(ctx, c)
		return loaded{r.Requests, r.Elapsed, r.P50, r.P99, r.P999}, err
	}
}

func (t requests) enter(ctx context.Context, c *contender) error { return c.launch(ctx) }

func (t requests) takes(b *bench) time.Duration { return b.load() + 300*time.Millisecond }

func (t requests) turn(ctx context.Context, c *contender, seconds int) (values, error) {
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	lines, err := c.dropLog()
	if err != nil {
		return nil, err
	}
	v, load, err := c.measure(ctx, t, seconds)
	if err != nil {
		return nil, err
	}
	if err := c.check(ctx); err != nil {
		return nil, fmt.Errorf("after the load: %w", err)
	}
	if c.site.Log {
		return v, c.countLog(lines, load.Requests)
	}
	return v, nil
}

// measure loads a contender and reads what that cost it.
func (c *contender) measure(ctx context.Context, t requests, seconds int) (values, loaded, error) {
	before, err := c.read(ctx)
	if err != nil {
		return nil, loaded{}, err
	}
	profiled := c.profile(ctx, seconds)
	load, err := t.load(ctx, c, seconds)
	if err := errors.Join(err, profiled()); err != nil {
		return nil, load, err
	}
	if load.Requests == 0 {
		return nil, load, fmt.Errorf("no request was answered within %d s", seconds)
	}
	after, err := c.read(ctx)
	if err != nil {
		return nil, load, err
	}
	// Readings may be requests themselves, several while the origin is not quiet.
	served, slack := after.served-before.served, int64(t.inFlight+20)
	if served < load.Requests || served > load.Requests+slack {
		return nil, load, fmt.Errorf("the load has %d answers, but the origin served %d requests: this is not the work asked for", load.Requests, served)
	}
	memory, err := treeMemory(c.process.pid())
	if err != nil {
		return nil, load, err
	}
	ours := after.all - before.all - (after.cpu - before.cpu) // load, origins and this program
	cpu, busy, wall := after.cpu-before.cpu, after.busy-before.busy, after.at.Sub(before.at)
	return values{
		cpuMicros:     micros(cpu) / float64(load.Requests),
		rate:          float64(load.Requests) / load.Elapsed.Seconds(),
		p50:           micros(load.P50),
		p99:           micros(load.P99),
		p999:          micros(load.P999),
		memoryMiB:     mebibytes(memory),
		corePercent:   100 * cpu.Seconds() / wall.Seconds(),
		othersPercent: 100 * max(0, busy-cpu).Seconds() / wall.Seconds(),
		loadOthers:    100 * max(0, after.loadBusy-before.loadBusy-ours).Seconds() / wall.Seconds(),
	}, load, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// reading is the state of all counters at one time.
type reading struct {
	at        time.Time
	cpu, busy time.Duration // of the contender, and of everything on its core
	all       time.Duration // of this program and everybody whom it started
	loadBusy  time.Duration // of everything on the load's core
	served    int64         // requests that the origins have seen
}

// read takes a reading.
func (c *contender) read(ctx context.Context) (r reading, err error) {
	if r.served, err = c.st.served(ctx); err != nil {
		return r, err
	}
	if r.cpu, err = treeCPU(c.process.pid()); err != nil {
		return r, fmt.Errorf("CPU time of %s: %w; it printed: %s", c.name, err, c.process.printed())
	}
	if r.all, err = treeCPU(os.Getpid()); err != nil {
		return r, err
	}
	if r.busy, err = coreBusy(c.st.proxyCore); err != nil {
		return r, err
	}
	r.loadBusy, err = coreBusy(c.st.loadCore)
	r.at = time.Now()
	return r, err
}

// dropLog empties the access log, so that a long run does not fill the disk. All peers
// append. It returns the number of lines that are left, which is none.
func (c *contender) dropLog() (int, error) {
	if !c.site.Log {
		return 0, nil
	}
	return 0, os.Truncate(c.site.LogFile, 0)
}

// countLog wants a line for each request: a peer that drops lines does less work.
func (c *contender) countLog(before int, requests int64) error {
	var lines int
	for range 100 { // the last lines may still be on their way
		text, err := countLines(c.site.LogFile)
		if lines = text - before; err != nil || int64(lines) >= requests {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("%d requests left %d lines in %s: this is not the work asked for", requests, lines, c.site.LogFile)
}

func countLines(name string) (lines int, err error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	for b := make([]byte, 1<<20); ; {
		n, err := file.Read(b)
		for _, x := range b[:n] {
			if x == '\n' {
				lines++
			}
		}
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
	}
}
