package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/benchmarks/loadgen"
	"github.com/sluice-gateway/sluice/benchmarks/origin"
)

// playRole does what roleVar asks of this process. A load prints its result in JSON.
func playRole(value string) error {
	role, config, _ := strings.Cut(value, " ")
	switch role {
	case "origin":
		var c origin.Config
		if err := json.Unmarshal([]byte(config), &c); err != nil {
			return err
		}
		return origin.Run(c)
	case "load":
		var c loadgen.Config
		if err := json.Unmarshal([]byte(config), &c); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		r, err := loadgen.Run(ctx, c, os.Stdout)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	return fmt.Errorf("%s: unknown role %q", roleVar, role)
}

// generate runs a load of package loadgen in a process on the load's core.
func (b *bench) generate(ctx context.Context, c loadgen.Config) (r loadgen.Result, err error) {
	out, err := b.onLoadCore(ctx, c.Duration, "load", c)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("the load printed %.200q: %w", out, err)
	}
	return r, nil
}

func (b *bench) onLoadCore(ctx context.Context, d time.Duration, role string, config any) ([]byte, error) {
	env, err := roleEnv(role, config)
	if err != nil {
		return nil, err
	}
	return b.run(ctx, d, env, b.tools.self)
}

// run runs a program on the load's core to its end and gives what it printed.
func (b *bench) run(ctx context.Context, d time.Duration, env []string, command ...string) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, d+readyTime)
	defer cancel()
	cmd := exec.CommandContext(limited, "taskset", append([]string{"-c", strconv.Itoa(b.loadCore)}, command...)...)
	cmd.Env = append(os.Environ(), env...)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("load was stopped: %w", context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("load: %w: %s%s", err, strings.TrimSpace(problems.String()), out)
	}
	return out, nil
}
