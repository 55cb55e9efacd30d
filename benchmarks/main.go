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
	if role := os.Getenv(roleVar); role != "" {
		exitOn(playRole(role))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if !errors.Is(err, flag.ErrHelp) {
		exitOn(err)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	bench
	scenarios   []scenario
	sluice, out string
}

// parseOptions reads the flags and refuses what cannot be run.
func parseOptions(args []string, messages io.Writer) (o options, err error) {
	o = options{bench: bench{progress: messages, began: time.Now(), warm: 1, idle: 5000, hosts: manyHostsGoal}}
	var chosen, contenders string
	var quick bool
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	flags.SetOutput(messages)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each peer has its turn")
	flags.IntVar(&o.seconds, "seconds", 2, "length of each load in `seconds`")
	flags.StringVar(&chosen, "scenarios", "", "run only these, `names` separated by commas")
	flags.StringVar(&contenders, "peers", "", "compare only these, `names` separated by commas; nginx is always there")
	flags.BoolVar(&quick, "quick", false, "one short round of everything, small, and no result files: to see that it works")
	flags.StringVar(&o.sluice, "sluice", "bin/sluice", "the `binary` under test")
	flags.StringVar(&o.out, "out", "benchmarks/results", "`folder` for the result files; empty for none")
	flags.StringVar(&o.profiles, "profiles", "", "`folder` for CPU profiles of Sluice under each load, for go build -pgo; the figures are then not to be used")
	flags.IntVar(&o.proxyCore, "proxy-core", 0, "the `core` that each peer is pinned to")
	flags.IntVar(&o.loadCore, "load-core", 1, "the `core` that load and origin are pinned to")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if quick {
		o.rounds, o.seconds, o.warm, o.idle, o.hosts, o.out = 1, 1, 0, 200, 200, ""
	}
	if o.scenarios, err = chooseScenarios(chosen); err != nil {
		return o, err
	}
	if o.peers, err = choosePeers(contenders); err != nil {
		return o, err
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
// table to out. A scenario that cannot be measured leaves the others alone, and is an error
// in the end.
func run(ctx context.Context, args []string, out, messages io.Writer) error {
	o, err := parseOptions(args, messages)
	if err != nil {
		return err
	}
	if o.tools, err = findTools(ctx, o.peers, o.sluice, o.say); err != nil {
		return err
	}
	if err := pinSelf(o.loadCore); err != nil {
		return err
	}
	r := report{
		Date: time.Now().UTC().Format(time.DateOnly), Commit: commitOf(ctx), Machine: thisMachine(), Files: map[string][]string{},
		Command: strings.Join(append([]string{"go run ./benchmarks"}, args...), " "), Rounds: o.rounds, Seconds: o.seconds,
	}
	if r.Versions, err = o.versions(ctx); err != nil {
		return err
	}
	for _, p := range o.peers {
		r.Files[p.name] = p.templates()
	}
	o.say("%d scenarios, %d peers, %d rounds: about %s", len(o.scenarios), len(o.peers), o.rounds, o.estimate(o.scenarios).Round(10*time.Second))
	var failed []error
	for i, sc := range o.scenarios {
		o.say("%s (%d of %d): %s", sc.Name, i+1, len(o.scenarios), sc.About)
		result, err := o.measureAll(ctx, sc)
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if err != nil {
			err = fmt.Errorf("scenario %s: %s", sc.Name, oneLine(err.Error()))
			o.say("%v", err)
			failed = append(failed, err)
			continue
		}
		r.Scenarios = append(r.Scenarios, result)
		r.Figures = append(r.Figures, result.figures(sc)...)
	}
	return errors.Join(publish(r, o.out, out), errors.Join(failed...))
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
		text += "results are in " + strings.Join(names, ", ") + "\n"
	}
	_, err := io.WriteString(out, text)
	return err
}

// versions asks every program for its own.
func (o options) versions(ctx context.Context) (map[string]string, error) {
	all := map[string]string{"go (benchmarks)": runtime.Version(), "wrk": wrkVersion(ctx, o.tools.wrk)}
	h2load := peer{name: "h2load", program: func(t tools) string { return t.h2load }, version: []string{"--version"}}
	for _, p := range append([]peer{h2load}, o.peers...) {
		v, err := p.printVersion(ctx, o.tools)
		if err != nil {
			return nil, err
		}
		all[p.name] = v
	}
	return all, nil
}
