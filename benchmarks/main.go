package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	bench
	scenario, sluice, out string
	quick                 bool
}

// parseOptions reads the flags and refuses what cannot be run.
func parseOptions(args []string, messages io.Writer) (options, error) {
	o := options{bench: bench{peers: peers, progress: messages}}
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	flags.SetOutput(messages)
	flags.IntVar(&o.rounds, "rounds", 7, "how often each peer has its turn")
	flags.IntVar(&o.seconds, "seconds", 5, "length of a turn in `seconds`")
	flags.StringVar(&o.scenario, "scenario", "", "run this scenario only")
	flags.BoolVar(&o.quick, "quick", false, "3 rounds of 1 second, and no result files: to see that it works")
	flags.StringVar(&o.sluice, "sluice", "bin/sluice", "the `binary` under test")
	flags.StringVar(&o.out, "out", "benchmarks/results", "`folder` for the result files; empty for none")
	flags.IntVar(&o.proxyCore, "proxy-core", 0, "the `core` that each peer is pinned to")
	flags.IntVar(&o.loadCore, "load-core", 1, "the `core` that load and origin are pinned to")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.quick {
		o.rounds, o.seconds, o.out = 3, 1, ""
	}
	switch cores := runtime.NumCPU(); {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is not a flag: see -help", flags.Arg(0))
	case o.rounds < 1 || o.rounds > 1000 || o.seconds < 1 || o.seconds > 3600:
		return o, fmt.Errorf("-rounds %d -seconds %d: give 1 to 1000 rounds of 1 to 3600 seconds", o.rounds, o.seconds)
	case o.proxyCore == o.loadCore || min(o.proxyCore, o.loadCore) < 0 || max(o.proxyCore, o.loadCore) >= cores:
		return o, fmt.Errorf("-proxy-core %d -load-core %d: two different cores below %d are needed", o.proxyCore, o.loadCore, cores)
	}
	return o, nil
}

// run measures the chosen scenarios and reports. Progress goes to messages, figures and the
// table to out.
func run(ctx context.Context, args []string, out, messages io.Writer) error {
	o, err := parseOptions(args, messages)
	if err != nil {
		return err
	}
	chosen, err := choose(o.scenario)
	if err != nil {
		return err
	}
	if o.tools, err = findTools(o.sluice); err != nil {
		return err
	}
	r := report{
		Date: time.Now().UTC().Format(time.DateOnly), Commit: commitOf(ctx), Machine: thisMachine(),
		Command: strings.Join(append([]string{"go run ./benchmarks"}, args...), " "), Rounds: o.rounds, Seconds: o.seconds,
	}
	if r.Versions, err = versions(ctx, o.tools); err != nil {
		return err
	}
	for _, sc := range chosen {
		result, err := o.measureAll(ctx, sc)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", sc.Name, err)
		}
		r.Scenarios = append(r.Scenarios, result)
		r.Figures = append(r.Figures, result.figures()...)
	}
	return publish(r, o.out, out)
}

// publish prints the report and its figures, and writes the files if dir is not empty.
func publish(r report, dir string, out io.Writer) error {
	text := r.markdown() + "\n"
	for _, f := range r.Figures {
		text += f.String() + "\n"
	}
	if dir != "" {
		names, err := r.write(dir)
		if err != nil {
			return err
		}
		text += "results are in " + strings.Join(names, " and ") + "\n"
	}
	_, err := io.WriteString(out, text)
	return err
}

// choose finds a scenario by name; none means all.
func choose(name string) ([]scenario, error) {
	if name == "" {
		return scenarios, nil
	}
	var known []string
	for _, sc := range scenarios {
		if sc.Name == name {
			return []scenario{sc}, nil
		}
		known = append(known, sc.Name)
	}
	return nil, fmt.Errorf("unknown scenario %q: known are %s", name, strings.Join(known, ", "))
}

// versions asks every program for its own.
func versions(ctx context.Context, t tools) (map[string]string, error) {
	all := map[string]string{"go (benchmarks)": runtime.Version(), "wrk": wrkVersion(ctx, t.wrk)}
	for _, p := range append([]peer{origin}, peers...) {
		v, err := p.printVersion(ctx, t)
		if err != nil {
			return nil, err
		}
		all[p.name] = v
	}
	return all, nil
}
